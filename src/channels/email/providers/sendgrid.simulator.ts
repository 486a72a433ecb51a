import { randomBytes } from 'node:crypto';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import type {
  ProviderSimulator,
  SimulatedAccount,
  SimulatedCallback,
  SimulatedEvent,
  SimulatorAnswer,
  SimulatorOutcome,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { REFUSED_SECRET_PREFIX } from '../../../gateway/contracts/simulator';
import { isEmailAddress } from '../../../kernel/email-address';
import { MESSAGE_ID_VARIABLE } from '../email-events';
import { keyPairOf, sendgridSignature } from './sendgrid.signature';

/** Every member of "send a mail" in SendGrid's API description; another one is a caller's mistake. */
const KNOWN_MEMBERS = new Set(
  (
    'personalizations from reply_to reply_to_list subject content attachments template_id headers categories custom_args send_at batch_id asm ' +
    'ip_pool_name mail_settings tracking_settings'
  ).split(' '),
);
const KNOWN_PERSONALIZATION = new Set(
  'from to cc bcc subject headers substitutions dynamic_template_data custom_args send_at'.split(' '),
);

/** Signs every callback: no request shows the account's key. A config proves them with the public key, the example of its field. */
const { privateKey, publicKey } = keyPairOf('UniMsg simulator, SendGrid');

type Json = Record<string, unknown>;

interface Mail {
  id: string;
  recipients: string[];
  arguments: Json;
  subject: string;
  link: string | undefined;
}

/** Behaves as SendGrid's mail API does. */
export const sendgridSimulator: ProviderSimulator = {
  account: () => ({
    credentials: {
      api_key: `SG.${randomBytes(16).toString('base64url')}.${randomBytes(32).toString('base64url')}`,
      webhook_signing_key: publicKey,
    },
    from_email: 'hello@demo.example',
    from_name: 'UniMsg demo',
  }),

  async handle(request, port) {
    const key = /^Bearer (.+)$/.exec(String(request.headers.authorization))?.[1];
    if (!key || key.replace(/^SG\./, '').startsWith(REFUSED_SECRET_PREFIX)) {
      return failure(401, 'The provided authorization grant is invalid, expired, or revoked');
    }
    if (request.path === '/v3/mail/send') {
      if (request.method !== 'POST') return failure(405, 'method not allowed');
      return send(request, port, await port.accounts('sendgrid', key));
    }
    if (request.method === 'GET' && request.path === '/v3/scopes')
      return json(200, { scopes: ['mail.send', 'alerts.read'] });
    return failure(404, 'not found');
  },
};

function send(
  request: SimulatorRequest,
  port: SimulatorPort,
  accounts: readonly SimulatedAccount[],
): SimulatorOutcome | Promise<SimulatorOutcome> {
  if (!String(request.headers['content-type']).startsWith('application/json'))
    return failure(415, 'Content-Type should be application/json.');
  const body = jsonObject(request.body);
  if (!body) return failure(400, 'Bad Request');
  const fault = faultOf(body);
  if (fault) return failure(400, fault[1], fault[0]);
  const personalization = (body.personalizations as Json[])[0]!;
  const to = addresses(personalization.to);
  const content = (body.content as Json[] | undefined) ?? [];
  const custom = (personalization.custom_args as Json | undefined) ?? {};
  const text = content.map((part) => String(part.value)).join('\n');
  const mail: Mail = {
    id: randomBytes(16).toString('base64url'),
    recipients: [...to, ...addresses(personalization.cc), ...addresses(personalization.bcc)],
    arguments: custom,
    subject: textOf(body.subject) ?? '',
    link: /https?:\/\/[^\s"'<>]+/.exec(text)?.[0],
  };
  const sandbox = ((body.mail_settings as Json | undefined)?.sandbox_mode as Json | undefined)?.enable === true;
  const submission = {
    provider: 'sendgrid',
    externalId: mail.id,
    to: to[0]!,
    from: textOf((body.from as Json).email) ?? null,
    body: textOf(content[0]?.value) ?? `template ${textOf(body.template_id)}`,
    reference: textOf(custom[MESSAGE_ID_VARIABLE]) ?? null,
  };
  return port.play({
    submission,
    accepted: () =>
      sandbox ? { status: 200, body: '' } : { status: 202, headers: { 'x-message-id': mail.id }, body: '' },
    // Nothing is in the body that could be garbled.
    garbled: () => ({ status: 202, body: '' }),
    refused: (why) => REFUSALS[why](port.now()),
    callbacks: (event) => (sandbox ? [] : callbacksFor(event, mail, port, accounts)),
  });
}

const REFUSALS = {
  invalid_recipient: () => failure(400, 'Does not contain a valid address.', 'personalizations.0.to.0.email'),
  throttled: (now: number) =>
    failure(429, 'too many requests', undefined, {
      'retry-after': '2',
      'x-ratelimit-limit': '600',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(Math.ceil(now / 1000) + 2),
    }),
  server_error: () => failure(500, 'internal server error'),
};

/** The first thing that is wrong with a mail: the field and what SendGrid says. */
function faultOf(body: Json): [string | undefined, string] | undefined {
  for (const name in body) if (!KNOWN_MEMBERS.has(name)) return [name, `Additional property ${name} is not allowed`];
  const list = body.personalizations;
  if (!Array.isArray(list) || list.length === 0)
    return ['personalizations', 'The personalizations field is required and must have at least one personalization.'];
  const from = textOf((body.from as Json | null | undefined)?.email);
  if (!from || !isEmailAddress(from)) return ['from.email', 'The from email does not contain a valid address.'];
  for (const [index, one] of (list as Json[]).entries()) {
    for (const name in one)
      if (!KNOWN_PERSONALIZATION.has(name))
        return [`personalizations.${index}.${name}`, `Additional property ${name} is not allowed`];
    const to = addresses(one.to);
    if (to.length === 0)
      return [
        `personalizations.${index}.to`,
        'The to array is required for all personalization objects, and must have at least one email object.',
      ];
    const all = [...to, ...addresses(one.cc), ...addresses(one.bcc)];
    const bad = to.findIndex((email) => !isEmailAddress(email));
    if (bad >= 0) return [`personalizations.${index}.to.${bad}.email`, 'Does not contain a valid address.'];
    if (new Set(all.map((email) => email.toLowerCase())).size < all.length) {
      return [
        'personalizations',
        'Each email address in the personalization block should be unique between to, cc, and bcc.',
      ];
    }
  }
  if (!textOf(body.subject) && body.template_id === undefined) return ['subject', 'The subject is required.'];
  const content = body.content;
  if (body.template_id === undefined && (!Array.isArray(content) || content.length === 0)) {
    return ['content', 'Unless a valid template_id is provided, the content parameter is required.'];
  }
  for (const part of (content as Json[] | undefined) ?? []) {
    if (!textOf(part.type) || !textOf(part.value))
      return ['content', 'The content value must be a string at least one character in length.'];
  }
  return undefined;
}

function addresses(list: unknown): string[] {
  return Array.isArray(list) ? (list as Json[]).map((one) => textOf(one.email) ?? '') : [];
}

/** What the event webhook says of one recipient, by what happened. */
const EVENTS: Readonly<Partial<Record<SimulatedEvent, (mail: Mail) => Json>>> = {
  sent: () => ({ event: 'processed' }),
  delivered: () => ({ event: 'delivered', response: '250 2.0.0 OK', ip: '198.51.100.7', tls: 1 }),
  // Not for good, so that nobody's address is suppressed for having been tried.
  undelivered: () => ({
    event: 'bounce',
    type: 'blocked',
    status: '5.7.1',
    bounce_classification: 'Unclassified',
    reason: '550 5.7.1 Mail refused',
    tls: 1,
  }),
  opened: () => ({
    event: 'open',
    ip: '203.0.113.7',
    useragent: 'Mozilla/5.0',
    sg_content_type: 'html',
    sg_machine_open: false,
  }),
  clicked: ({ link }) => ({
    event: 'click',
    ip: '203.0.113.7',
    useragent: 'Mozilla/5.0',
    url: link ?? 'https://example.com/',
    url_offset: { index: 0, type: 'html' },
  }),
  hard_bounce: () => ({
    event: 'bounce',
    type: 'bounce',
    status: '5.1.1',
    bounce_classification: 'Invalid Address',
    reason: '550 5.1.1 The email account does not exist.',
    tls: 1,
  }),
  soft_bounce: () => ({ event: 'deferred', response: '452 4.2.2 The mailbox is full', attempt: '1', tls: 1 }),
  complained: () => ({ event: 'spamreport' }),
  unsubscribed: () => ({ event: 'unsubscribe' }),
};

/** One callback with an event a recipient, as SendGrid gathers them; only the first recipient does more than get the mail. */
function callbacksFor(
  event: SimulatedEvent,
  mail: Mail,
  port: SimulatorPort,
  accounts: readonly SimulatedAccount[],
): SimulatedCallback[] {
  const describe = EVENTS[event];
  if (!describe) return [];
  const seconds = Math.floor(port.now() / 1000);
  const recipients = event === 'sent' || event === 'delivered' ? mail.recipients : mail.recipients.slice(0, 1);
  const said = describe(mail);
  const events = recipients.map((email, index) => ({
    email,
    timestamp: seconds,
    ...said,
    // Equal for a repeat of the same event.
    sg_event_id: Buffer.from(`${textOf(said.event)}-${index}-${mail.id}`).toString('base64url'),
    sg_message_id: `${mail.id}.recvd-6b9c7d5f4-x2k8q-1-${seconds.toString(16).toUpperCase()}-1.0`,
    'smtp-id': `<${mail.id}@geopod-ismtpd-0>`,
    ...mail.arguments,
  }));
  // SendGrid ends its bodies so; a verifier that parses first and writes anew would not see it.
  const body = `${JSON.stringify(events)}\r\n`;
  return accounts.map((account) => ({
    url: account.callbackUrl('events'),
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'SendGrid Event API',
      ...sendgridSignature(privateKey, seconds, body),
    },
    body,
    word: String(said.event),
  }));
}

function failure(status: number, message: string, field?: string, headers?: Record<string, string>): SimulatorAnswer {
  return json(status, { errors: [{ message, field: field ?? null, help: null }] }, headers);
}

function json(status: number, body: unknown, headers?: Record<string, string>): SimulatorAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
