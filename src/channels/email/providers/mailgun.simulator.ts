import { randomBytes } from 'node:crypto';
import { textOf } from '../../../gateway/contracts/provider-answer';
import type {
  ProviderSimulator,
  SimulatedAccount,
  SimulatedCallback,
  SimulatedEvent,
  SimulatedMessage,
  SimulatorAnswer,
  SimulatorOutcome,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { REFUSED_SECRET_PREFIX } from '../../../gateway/contracts/simulator';
import { isEmailAddress } from '../../../kernel/email-address';
import { decodeMultipart, type MultipartField } from '../../../kernel/multipart';
import { MESSAGE_ID_VARIABLE } from '../email-events';
import { signedNow } from './mailgun.signature';

/** Fields of "send an email" in Mailgun's API description; another one is a caller's mistake. */
const KNOWN_FIELD = new RegExp(
  '^(?:from|to|cc|bcc|subject|text|html|amp-html|attachment|inline|template|t:(?:version|text|variables)|recipient-variables|[hv]:.+|' +
    'o:(?:tag|dkim|secondary-dkim|secondary-dkim-public|deliverytime|deliver-within|deliverytime-optimize-period|time-zone-localize|testmode|' +
    'tracking|tracking-clicks|tracking-opens|require-tls|skip-verification|sending-ip|sending-ip-pool|tracking-pixel-location-top|archive-to|' +
    'suppress-headers))$',
);

const PATH = /^(?:\/eu)?\/(?:v3\/([^/]+)\/(messages|events)|v4\/domains\/([^/]+))$/;

type Json = Record<string, unknown>;

interface Mail {
  id: string;
  domain: string;
  recipients: string[];
  from: string;
  subject: string;
  variables: Record<string, string>;
  link: string | undefined;
}

/** Behaves as Mailgun's mail API does, in both regions; signs callbacks with the keys of the configs of the domain. */
export const mailgunSimulator: ProviderSimulator = {
  account: () => ({
    credentials: {
      api_key: `key-${randomBytes(16).toString('hex')}`,
      webhook_signing_key: randomBytes(16).toString('hex'),
      domain: 'demo.example',
      region: 'eu',
    },
    from_email: 'hello@demo.example',
    from_name: 'UniMsg demo',
  }),

  async handle(request, port) {
    const path = PATH.exec(request.path);
    if (!path) return { status: 200, headers: { 'content-type': 'text/plain' }, body: 'Mailgun Magnificent API' };
    const key = keyOf(request);
    if (!key || key.startsWith(REFUSED_SECRET_PREFIX))
      return { status: 401, headers: { 'content-type': 'text/plain' }, body: 'Forbidden' };
    const domain = decodeURIComponent(path[1] ?? path[3]!);
    if (path[3] !== undefined) return json(200, { domain: { name: domain, state: 'active', type: 'custom' } });
    if (path[2] === 'events')
      return request.method === 'GET' ? events(request, domain, port) : json(405, { message: 'Method not allowed' });
    if (request.method !== 'POST') return json(405, { message: 'Method not allowed' });
    return send(request, domain, port, await port.accounts('mailgun', domain));
  },
};

/** The password of user `api`; null for other credentials. */
function keyOf({ headers: { authorization } }: SimulatorRequest): string | null {
  if (typeof authorization !== 'string' || !authorization.startsWith('Basic ')) return null;
  const text = Buffer.from(authorization.slice(6), 'base64').toString('utf8');
  return text.startsWith('api:') && text.length > 4 ? text.slice(4) : null;
}

function send(
  request: SimulatorRequest,
  domain: string,
  port: SimulatorPort,
  accounts: readonly SimulatedAccount[],
): SimulatorOutcome | Promise<SimulatorOutcome> {
  const fields = decodeMultipart(request.body, textOf(request.headers['content-type']));
  if (!fields) return json(400, { message: 'Bad Request' });
  const fault = faultOf(fields);
  if (fault) return json(400, { message: fault });
  const text = (name: string): string | undefined => textsOf(fields, name)[0];
  const recipients = ['to', 'cc', 'bcc'].flatMap((name) => textsOf(fields, name)).map(addressIn);
  const variables = Object.fromEntries(
    fields.flatMap((field) =>
      'value' in field && field.name.startsWith('v:') ? [[field.name.slice(2), field.value]] : [],
    ),
  ) as Record<string, string>;
  const id = `${new Date(port.now()).toISOString().replaceAll(/\D/g, '').slice(0, 14)}.${randomBytes(8).toString('hex')}@${domain}`;
  const from = text('from')!;
  const body = text('text') ?? text('html');
  const link = /https?:\/\/[^\s"'<>]+/.exec(`${text('html') ?? ''} ${text('text') ?? ''}`)?.[0];
  const mail: Mail = { id, domain, recipients, from, subject: text('subject')!, variables, link };
  const submission = {
    provider: 'mailgun',
    externalId: id,
    to: recipients[0]!,
    from: addressIn(from),
    body: body ?? `template ${text('template')}`,
    reference: variables[MESSAGE_ID_VARIABLE] ?? null,
  };
  return port.play({
    submission,
    accepted: () => json(200, { id: `<${id}>`, message: 'Queued. Thank you.' }),
    refused: (why) => REFUSALS[why](domain),
    callbacks: (event) => callbacksFor(event, mail, port, accounts),
  });
}

const REFUSALS = {
  invalid_recipient: () => json(400, { message: "'to' parameter is not a valid address. please check documentation" }),
  throttled: (domain: string) =>
    json(429, {
      message: `Domain ${domain} is not allowed to send: account-requests-per-sec limit exceeded, try again after 2 seconds`,
    }),
  server_error: () => json(500, { message: 'Internal Server Error' }),
};

/** What Mailgun says is wrong with a mail; undefined when nothing is. */
function faultOf(fields: readonly MultipartField[]): string | undefined {
  const unknown = fields.find(({ name }) => !KNOWN_FIELD.test(name));
  if (unknown) return `${unknown.name} parameter is not known`;
  for (const name of ['from', 'to', 'subject'])
    if (textsOf(fields, name).length === 0) return `${name} parameter is missing`;
  for (const name of ['from', 'to', 'cc', 'bcc']) {
    if (!textsOf(fields, name).every((value) => isEmailAddress(addressIn(value)))) {
      return `'${name}' parameter is not a valid address. please check documentation`;
    }
  }
  const has = (name: string): boolean => textsOf(fields, name).some((value) => value !== '');
  if (has('html') && has('template')) return "Only one parameters 'html' or 'template' is allowed.";
  if (!['text', 'html', 'amp-html', 'template'].some(has)) {
    return "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified.";
  }
  const size = fields
    .filter(({ name }) => /^[ohtv]:/.test(name))
    .reduce((sum, field) => sum + field.name.length + ('value' in field ? Buffer.byteLength(field.value) : 0), 0);
  return size > 16 * 1024
    ? 'Send options (parameters starting with o:, h:, or v:) are limited to 16KB total'
    : undefined;
}

function textsOf(fields: readonly MultipartField[], name: string): string[] {
  return fields.flatMap((field) => (field.name === name && 'value' in field ? [field.value] : []));
}

/** `"Name" <address>`, or the address alone. */
function addressIn(mailbox: string): string {
  return /<([^<>]*)>$/.exec(mailbox)?.[1] ?? mailbox;
}

const BROWSER = {
  'client-type': 'browser',
  'client-os': 'Linux',
  'device-type': 'desktop',
  'client-name': 'Firefox',
  'user-agent': 'Mozilla/5.0',
  bot: '',
};

/** What an event says besides the mail, by what happened. */
const EVENTS: Readonly<Partial<Record<SimulatedEvent, (mail: Mail) => Json>>> = {
  sent: () => ({ event: 'accepted', 'log-level': 'info' }),
  delivered: () => ({
    event: 'delivered',
    'log-level': 'info',
    'delivery-status': { code: 250, message: 'OK', 'attempt-no': 1, tls: true },
  }),
  // Not for good, so that nobody's address is suppressed for having been tried.
  undelivered: () => failed('permanent', 'old', { code: 499, description: 'Too old', message: '' }),
  opened: () => ({ event: 'opened', 'log-level': 'info', ip: '203.0.113.7', 'client-info': BROWSER }),
  clicked: ({ link }) => ({
    event: 'clicked',
    'log-level': 'info',
    ip: '203.0.113.7',
    url: link ?? 'https://example.com/',
    'client-info': BROWSER,
  }),
  hard_bounce: () =>
    failed('permanent', 'bounce', {
      code: 550,
      'enhanced-code': '5.1.1',
      message: '5.1.1 The email account does not exist',
      'bounce-type': 'hard',
    }),
  soft_bounce: () =>
    failed('temporary', 'generic', {
      code: 452,
      'enhanced-code': '4.2.2',
      message: '4.2.2 The mailbox is full',
      'retry-seconds': 600,
    }),
  complained: () => ({ event: 'complained', 'log-level': 'warn' }),
  unsubscribed: () => ({ event: 'unsubscribed', 'log-level': 'warn', ip: '203.0.113.7', 'client-info': BROWSER }),
};

function failed(severity: 'permanent' | 'temporary', reason: string, delivery: Json): Json {
  return {
    event: 'failed',
    severity,
    reason,
    'log-level': severity === 'permanent' ? 'error' : 'warn',
    'delivery-status': { 'attempt-no': 1, ...delivery },
  };
}

/** One callback an event, a recipient and a config; only the first recipient does more than get the mail. */
function callbacksFor(
  event: SimulatedEvent,
  mail: Mail,
  port: SimulatorPort,
  accounts: readonly SimulatedAccount[],
): SimulatedCallback[] {
  const describe = EVENTS[event];
  if (!describe) return [];
  const recipients = event === 'sent' || event === 'delivered' ? mail.recipients : mail.recipients.slice(0, 1);
  return accounts.flatMap((account) =>
    recipients.map((recipient, index) => {
      const said = describe(mail);
      const seconds = Math.floor(port.now() / 1000);
      // Equal for a repeat of the same event.
      const id = Buffer.from(`${textOf(said.event)}-${event}-${index}-${mail.id.slice(0, 31)}`).toString('base64url');
      const signature = signedNow(account.credentials.webhook_signing_key ?? '', seconds);
      const data = eventData(mail, recipient, { id, timestamp: port.now() / 1000, ...said });
      const body = JSON.stringify({ signature, 'event-data': data });
      const headers = { 'content-type': 'application/json', 'user-agent': 'Go-http-client/1.1' };
      return { url: account.callbackUrl('events'), method: 'POST', headers, body, word: String(said.event) };
    }),
  );
}

function eventData(mail: Mail, recipient: string, own: Json): Json {
  return {
    ...own,
    recipient,
    'recipient-domain': recipient.slice(recipient.lastIndexOf('@') + 1),
    message: {
      headers: { to: mail.recipients[0], 'message-id': mail.id, from: mail.from, subject: mail.subject },
      attachments: [],
      size: 1024,
    },
    envelope: { sender: addressIn(mail.from), targets: recipient, transport: 'smtp', 'sending-ip': '198.51.100.7' },
    flags: { 'is-routed': false, 'is-authenticated': true, 'is-system-test': false, 'is-test-mode': false },
    'user-variables': mail.variables,
    tags: [],
    campaigns: [],
  };
}

/** What became of kept mails, by the filters that a look-up uses. */
function events(request: SimulatorRequest, domain: string, port: SimulatorPort): SimulatorAnswer {
  const { query } = request;
  const id = query.get('message-id');
  const recipient = query.get('recipient');
  const begin = Number(query.get('begin') ?? 0) * 1000;
  const found = port
    .list('mailgun')
    .filter(({ accepted, externalId }) => accepted && externalId.endsWith(`@${domain}`))
    .filter(
      ({ externalId, to, receivedAt }) =>
        (id === null || externalId === id) && (recipient === null || to === recipient) && receivedAt >= begin,
    );
  const items = found.slice(0, Math.min(300, Number(query.get('limit') ?? 100))).map(lastEvent);
  return json(200, { items, paging: { next: '', previous: '', first: '', last: '' } });
}

function lastEvent(message: SimulatedMessage): Json {
  const outcome =
    message.behaviour === 'undelivered'
      ? 'undelivered'
      : message.behaviour === 'hard_bounce'
        ? 'hard_bounce'
        : 'delivered';
  const variables: Record<string, string> =
    message.reference === null ? {} : { [MESSAGE_ID_VARIABLE]: message.reference };
  const mail: Mail = {
    id: message.externalId,
    domain: '',
    recipients: [message.to],
    from: message.from ?? '',
    subject: '',
    variables,
    link: undefined,
  };
  const own = {
    id: Buffer.from(`look-up-${message.externalId.slice(0, 31)}`).toString('base64url'),
    timestamp: message.receivedAt / 1000,
  };
  return eventData(mail, message.to, { ...own, ...EVENTS[outcome]!(mail) });
}

function json(status: number, body: unknown): SimulatorAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
