import type { SampleAccount } from '../contract/provider.contract';
import { SAMPLE_NOW } from '../contract/provider.contract';
import type { OutboundMessage } from '../../src/gateway/contracts/gateway';

/** A tenant's account at a mail server. */
export const smtpAccountA: SampleAccount = {
  settings: {
    host: 'smtp.example.com',
    port: 587,
    tls: 'none',
    from_email: 'shop@example.com',
    from_name: 'Example Shop',
  },
  credentials: { username: 'user-a', password: 'secret-a-7261' },
};

export const smtpAccountB: SampleAccount = {
  settings: { ...smtpAccountA.settings, from_email: 'news@example.com' },
  credentials: { username: 'user-b', password: 'secret-b-9034' },
};

export const smtpMessage: OutboundMessage<'email'> = {
  id: 'msg_01jd3k8r5x7q2m9v4b6n8c0d1f',
  clientId: 'demo_0123456789abcdef',
  channel: 'email',
  to: 'jane@example.net',
  from: null,
  content: { to: [{ email: 'jane@example.net' }], subject: 'Your order', text: 'Hello Jane.' },
  priority: 'normal',
  expiresAt: SAMPLE_NOW + 3_600_000,
};
