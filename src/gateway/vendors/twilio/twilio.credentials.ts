import type { CredentialField } from '../../contracts/provider-definition';

/** What opens a Twilio account, whatever it sends. Made-up values, as tests have them, need only what keeps a request whole. */
export const TWILIO_CREDENTIALS: Readonly<Record<string, CredentialField>> = Object.freeze({
  account_sid: {
    description: 'Account SID: AC and, at Twilio itself, 32 hexadecimal digits.',
    secret: true,
    required: true,
    identifiesAccount: true,
    pattern: /^AC\w{1,62}$/,
    example: 'AC0123456789abcdef0123456789abcdef',
  },
  auth_token: {
    description: 'Auth token of the account. Also proves the callbacks.',
    secret: true,
    required: true,
    example: '0123456789abcdef0123456789abcdef',
  },
  messaging_service_sid: {
    description: 'Messaging Service that picks the sender: MG and, at Twilio itself, 32 hexadecimal digits.',
    secret: false,
    required: false,
    pattern: /^MG\w{1,62}$/,
    example: 'MG0123456789abcdef0123456789abcdef',
  },
});
