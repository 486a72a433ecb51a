import { STAND_IN_HOST } from '../../../gateway/contracts/simulator';
import { randomBytes } from 'node:crypto';
import PostalMime from 'postal-mime';
import type {
  ProviderSimulator,
  SimulatedCallback,
  SimulatorAnswer,
  SimulatorOutcome,
  SimulatorPort,
} from '../../../gateway/contracts/simulator';
import { SmtpStandIn, type ReceivedMail } from './smtp.stand-in';

/** As Postfix puts them. */
const REFUSALS = {
  invalid_recipient: '550 5.1.1 Recipient address rejected: User unknown',
  throttled: '451 4.7.0 Too much mail, try again later',
  server_error: '451 4.3.0 Queue file write error',
} as const;

/** Behaves as a mail server; follows List-Unsubscribe with one click where the recipient unsubscribes. There is nothing to ask it by HTTP. */
export const smtpSimulator: ProviderSimulator = {
  account: () => ({
    credentials: { username: 'demo', password: randomBytes(8).toString('hex') },
    host: STAND_IN_HOST,
    port: 25,
    tls: 'none',
    from_email: 'hello@demo.example',
    from_name: 'UniMsg demo',
  }),
  handle: () => ({ status: 404, body: 'simulator: this provider speaks SMTP' }),
  listen: (port) => SmtpStandIn.start((mail) => play(mail, port)),
};

async function play(mail: ReceivedMail, port: SimulatorPort): Promise<SimulatorOutcome> {
  const parsed = await PostalMime.parse(mail.bytes);
  const header = (name: string): string | undefined => parsed.headers.find(({ key }) => key === name)?.value;
  const queueId = randomBytes(5).toString('hex').toUpperCase();
  return port.play({
    submission: {
      provider: 'smtp',
      externalId: parsed.messageId ?? queueId,
      to: mail.recipients[0]!,
      from: mail.from,
      body: (parsed.text ?? parsed.html ?? '').replace(/\n$/, ''),
      reference: mail.envelopeId ?? /^<(msg_[^@>]+)@/.exec(parsed.messageId ?? '')?.[1] ?? null,
    },
    accepted: () => reply(`250 2.0.0 Ok: queued as ${queueId}`),
    refused: (why) => reply(REFUSALS[why]),
    callbacks: (event) => (event === 'unsubscribed' ? unsubscribe(header('list-unsubscribe')) : []),
  });
}

function reply(text: string): SimulatorAnswer {
  return { status: Number(text.slice(0, 3)), body: `${text}\r\n` };
}

function unsubscribe(list: string | undefined): SimulatedCallback[] {
  const url = /<(https?:[^>]+)>/.exec(list ?? '')?.[1];
  if (url === undefined) return [];
  return [
    {
      url,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'List-Unsubscribe=One-Click',
      word: 'One-Click',
    },
  ];
}
