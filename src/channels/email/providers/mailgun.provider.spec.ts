import { createHash, createHmac } from 'node:crypto';
import { contextFor, providerContract, SAMPLE_NOW, secretsOf } from '../../../../test/contract/provider.contract';
import type { SampleAccount, SampleCallback } from '../../../../test/contract/provider.contract';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import { answer, json, ScriptedServer } from '../../../../test/support/scripted-server';
import type { CallbackRequest, NormalizedEvent } from '../../../gateway/contracts/callback';
import type { EmailContent, OutboundMessage } from '../../../gateway/contracts/gateway';
import { GatewayError, InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { isUnsubscribeToken } from '../../../gateway/contracts/unsubscribe-token';
import { ManualClock } from '../../../kernel/clock';
import { decodeMultipart, type MultipartField } from '../../../kernel/multipart';
import { Secret } from '../../../kernel/secret';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { mailgun } from './mailgun.provider';
import { mailgunSignature, verifyMailgun } from './mailgun.signature';

const ID = '20261122080000.1.0123456789ABCDEF@mg.example.com';
const accountA: SampleAccount = {
  settings: { from_email: 'orders@mg.example.com', from_name: 'Example "Shop"' },
  credentials: { api_key: 'key-of-a-0123456789', webhook_signing_key: 'signing-key-of-a', domain: 'mg.example.com' },
};
const accountB: SampleAccount = {
  settings: { from_email: 'news@mg.example.org' },
  credentials: {
    api_key: 'key-of-b-9876543210',
    webhook_signing_key: 'signing-key-of-b',
    domain: 'mg.example.org',
    region: 'eu',
  },
};

const content: EmailContent = { to: [{ email: 'jane@example.net' }], subject: 'Hello', text: 'Your order is here.' };
const message: OutboundMessage<'email'> = {
  id: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  clientId: 'demo_0123456789abcdef',
  channel: 'email',
  to: 'jane@example.net',
  from: null,
  priority: 'normal',
  content,
  expiresAt: SAMPLE_NOW + 24 * 3600 * 1000,
};
const withContent = (more: Partial<EmailContent>): Partial<OutboundMessage> => ({ content: { ...content, ...more } });

const BOUNDARY = `unimsg-${createHash('sha256').update(message.id).digest('hex').slice(0, 40)}`;
const wire = (fields: Record<string, string>): string => {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${BOUNDARY}\nContent-Disposition: form-data; name="${name}"\n\n${value}\n`,
  );
  const body = `${parts.join('')}--${BOUNDARY}--\n`;
  return `POST /v3/mg.example.com/messages HTTP/1.1
host: 127.0.0.1:{port}
connection: keep-alive
authorization: Basic ${Buffer.from('api:key-of-a-0123456789').toString('base64')}
accept: application/json
content-type: multipart/form-data; boundary=${BOUNDARY}
content-length: ${Buffer.byteLength(body.replaceAll('\n', '\r\n'))}

${body}`;
};
const accepted = json(200, { id: `<${ID}>`, message: 'Queued. Thank you.' });

const eventData = (event: string, more: object = {}) => ({
  event,
  id: `id-${event}`,
  timestamp: SAMPLE_NOW / 1000 + 0.25,
  recipient: 'jane@example.net',
  message: { headers: { 'message-id': ID, to: 'jane@example.net', subject: 'Hello' } },
  'user-variables': { unimsg_message_id: message.id },
  ...more,
});
const facts = (word: string, event = word) => ({
  eventId: `id-${event}/${Math.floor(SAMPLE_NOW / 86_400_000)}`,
  externalId: ID,
  messageId: message.id,
  occurredAt: SAMPLE_NOW + 250,
  rawWord: word,
});

const URL_EVENTS = 'https://um.example.com/webhook/mailgun/events/cfg_1';
function callbackRequest(data: object, key = 'signing-key-of-a', now = SAMPLE_NOW, url = URL_EVENTS): CallbackRequest {
  const timestamp = String(now / 1000);
  // One token a body and time, as each callback has its own.
  const token = createHash('sha256')
    .update(JSON.stringify(data) + timestamp)
    .digest('hex')
    .slice(0, 50);
  const signature = { timestamp, token, signature: mailgunSignature(key, timestamp, token) };
  return {
    method: 'POST',
    publicUrl: url,
    query: new URL(url).searchParams,
    headers: { 'content-type': 'application/json' },
    rawBody: Buffer.from(JSON.stringify({ signature, 'event-data': data })),
  };
}
const sample = (
  name: string,
  data: object,
  events: NormalizedEvent[],
  kind: 'status' | 'events' = 'events',
): SampleCallback => ({
  name,
  kind,
  request: (account, now) => callbackRequest(data, account.credentials.webhook_signing_key, now),
  events,
  signsNoBody: true,
  forged: {
    'a body without a signature': (request) => ({
      ...request,
      rawBody: Buffer.from(JSON.stringify({ 'event-data': data })),
    }),
    'a signature that is no object': (request) => ({ ...request, rawBody: Buffer.from('{"signature":"x"}') }),
    'a signature in upper case': (request) => {
      const body = JSON.parse(request.rawBody.toString()) as { signature: { signature: string } };
      body.signature.signature = body.signature.signature.toUpperCase();
      return { ...request, rawBody: Buffer.from(JSON.stringify(body)) };
    },
    'an old time stamp': () => callbackRequest(data, 'signing-key-of-a', SAMPLE_NOW - 13 * 3600 * 1000),
    'a time stamp ahead': () => callbackRequest(data, 'signing-key-of-a', SAMPLE_NOW + 3600 * 1000),
  },
});

const hard = {
  severity: 'permanent',
  reason: 'bounce',
  'delivery-status': { code: 550, message: '5.1.1 unknown', 'enhanced-code': '5.1.1', 'attempt-no': 1 },
};
const callbacks: SampleCallback[] = [
  sample(
    'delivered',
    eventData('delivered'),
    [{ kind: 'status', ...facts('delivered'), status: 'delivered' }],
    'status',
  ),
  sample('a hard bounce', eventData('failed', hard), [
    {
      kind: 'status',
      ...facts('permanent_fail', 'failed'),
      status: 'undelivered',
      error: {
        class: 'recipient_permanent',
        code: 'invalid_recipient',
        providerCode: '5.1.1',
        message: '5.1.1 unknown',
      },
    },
    {
      kind: 'engagement',
      ...facts('permanent_fail', 'failed'),
      eventId: `${facts('failed').eventId}:bounced`,
      type: 'bounced',
      bounceType: 'hard',
      recipient: 'jane@example.net',
      detail: { reason: '5.1.1 unknown' },
    },
  ]),
  sample(
    'a click',
    eventData('clicked', {
      url: 'https://example.com/a',
      ip: '203.0.113.7',
      'client-info': { 'user-agent': 'Mozilla', bot: '' },
    }),
    [
      {
        kind: 'engagement',
        ...facts('clicked'),
        type: 'clicked',
        recipient: 'jane@example.net',
        detail: { url: 'https://example.com/a', ip: '203.0.113.7', user_agent: 'Mozilla' },
      },
    ],
  ),
];

const parse = (data: object): NormalizedEvent[] => mailgun.callbacks.events!.parse(callbackRequest(data));

const TEXTS: Record<string, [number, string]> = {
  "'to' parameter is not a valid address": [400, "'to' parameter is not a valid address. please check documentation"],
  'is not allowed to send': [403, 'Domain mg.example.com is not allowed to send: The domain is unverified'],
  'Domain not found': [404, 'Domain not found: mg.example.com'],
  'limit exceeded': [429, 'Domain mg.example.com is not allowed to send: account-requests-per-sec limit exceeded'],
};

providerContract({
  definition: mailgun,
  accounts: [accountA, accountB],
  message,
  accepted,
  sends: [
    {
      name: 'a text',
      wire: wire({
        from: '"Example \\"Shop\\"" <orders@mg.example.com>',
        to: 'jane@example.net',
        subject: 'Hello',
        text: 'Your order is here.',
        'v:unimsg_message_id': message.id,
      }),
      answer: accepted,
      result: { externalId: ID },
    },
  ],
  credentialsOnWire: ({ headers }) => headers.authorization!.replace('Basic ', ''),
  codes: {
    recipient_permanent: [
      "'to' parameter is not a valid address",
      'bounce',
      'generic',
      'suppress-bounce',
      'suppress-complaint',
      'suppress-unsubscribe',
      '605',
      '607',
    ],
    content_permanent: [],
    config: ['is not allowed to send', 'Domain not found', 'Mailgun Magnificent API', 'espblock'],
    throttled: ['limit exceeded'],
    transient: ['old', '499'],
    ambiguous: [],
  },
  refusal: (code) => {
    if (code === 'Mailgun Magnificent API') return answer(200, code, { 'content-type': 'text/plain' });
    return TEXTS[code] ? json(TEXTS[code][0], { message: TEXTS[code][1] }) : null;
  },
  httpClasses: { 402: 'config', 413: 'content_permanent', 420: 'throttled' },
  statuses: {
    accepted: 'queued',
    delivered: 'delivered',
    temporary_fail: 'sent',
    permanent_fail: 'undelivered',
    rejected: 'failed',
    stored: null,
  },
  callbacks,
  statusCallback: (word) => {
    const severity = /^(temporary|permanent)_fail$/.exec(word)?.[1];
    return callbackRequest(severity ? eventData('failed', { severity }) : eventData(word));
  },
});

describe('Mailgun', () => {
  let server: ScriptedServer;
  let http: UndiciHttpClient;
  const clock = new ManualClock(SAMPLE_NOW);

  beforeEach(async () => {
    server = await ScriptedServer.start(accepted);
    http = new UndiciHttpClient();
  });
  afterEach(async () => {
    await http.close();
    await server.close();
  });

  const gateway = () => mailgun.create(gatewayDeps({ http, baseUrl: server.origin, clock }));
  async function sent(
    more: Partial<EmailContent>,
    settings: Record<string, unknown> = accountA.settings,
  ): Promise<MultipartField[]> {
    await gateway().send({ ...message, ...withContent(more) }, contextFor({ ...accountA, settings }));
    const request = server.requests.at(-1)!;
    const raw = Buffer.from(request.raw, 'latin1');
    return decodeMultipart(raw.subarray(raw.indexOf('\r\n\r\n') + 4), request.headers['content-type'])!;
  }
  const values = (fields: MultipartField[], name: string): string[] =>
    fields.flatMap((field) => (field.name === name && 'value' in field ? [field.value] : []));

  it('hands on every part of a mail, and names in any script as they are', async () => {
    const fields = await sent({
      to: [{ email: 'jörg@bücher.example', name: 'Jörg "J" Müller, Köln' }, { email: 'b@example.com' }],
      cc: [{ email: 'team@example.com' }],
      bcc: [{ email: '用户@例え.jp', name: '用户' }],
      from: { email: 'shop@example.com', name: 'Ładny \\ Sklep' },
      reply_to: { email: 'help@example.com', name: 'Help' },
      subject: 'Grüße 🚀 – ñ',
      text: 'Ünï\r\n--x',
      html: '<p>Ünï</p>',
      headers: { 'X-Entity-Ref-ID': 'order-8121' },
      attachments: [
        {
          filename: 'Räch"nung.pdf',
          content_type: 'application/pdf',
          content: Buffer.from([0, 13, 10, 255]).toString('base64'),
        },
      ],
      tracking: { opens: true, clicks: false },
    });
    expect(fields).toEqual([
      { name: 'from', value: '"Ładny \\\\ Sklep" <shop@example.com>' },
      { name: 'to', value: '"Jörg \\"J\\" Müller, Köln" <jörg@bücher.example>' },
      { name: 'to', value: 'b@example.com' },
      { name: 'cc', value: 'team@example.com' },
      { name: 'bcc', value: '"用户" <用户@例え.jp>' },
      { name: 'subject', value: 'Grüße 🚀 – ñ' },
      { name: 'text', value: 'Ünï\r\n--x' },
      { name: 'html', value: '<p>Ünï</p>' },
      { name: 'o:tracking', value: 'yes' },
      { name: 'o:tracking-opens', value: 'yes' },
      { name: 'o:tracking-clicks', value: 'no' },
      { name: 'h:Reply-To', value: '"Help" <help@example.com>' },
      { name: 'h:X-Entity-Ref-ID', value: 'order-8121' },
      { name: 'v:unimsg_message_id', value: message.id },
      { name: 'v:unimsg_recipient', value: 'jane@example.net' },
      {
        name: 'attachment',
        filename: 'Räch"nung.pdf',
        contentType: 'application/pdf',
        bytes: Buffer.from([0, 13, 10, 255]),
      },
    ]);
  });

  it('uses a stored template with its data, and what the config says', async () => {
    const data = { first_name: 'Jane', deep: { a: [1, null] } };
    const settings = { ...accountA.settings, enable_tracking: true, enable_click_tracking: false, test_mode: true };
    const fields = await sent({ text: undefined, template_id: 'welcome', template_data: data }, settings);
    const named = Object.fromEntries(fields.flatMap((field) => ('value' in field ? [[field.name, field.value]] : [])));
    expect(named).toMatchObject({
      template: 'welcome',
      't:variables': JSON.stringify(data),
      'o:testmode': 'yes',
      'o:tracking': 'yes',
      'o:tracking-opens': 'yes',
      'o:tracking-clicks': 'no',
    });
    expect(named).not.toHaveProperty('text');
    expect(values(await sent({}, { ...settings, enable_tracking: false }), 'o:tracking')).toEqual(['no']);
  });

  it('lets the recipient unsubscribe with one click, by a link that proves itself', async () => {
    const fields = await sent({ tracking: { unsubscribe: true } });
    expect(values(fields, 'h:List-Unsubscribe-Post')).toEqual(['List-Unsubscribe=One-Click']);
    const [link] = values(fields, 'h:List-Unsubscribe');
    const token = /^<https:\/\/um\.example\.com\/unsubscribe\/([^<>]+)>$/.exec(link!)![1]!;
    const claim = { configId: 'cfg_1', messageId: message.id };
    expect(isUnsubscribeToken(token, claim, new Secret('url-token'))).toBe(true);
    expect(isUnsubscribeToken(token, claim, new Secret('another'))).toBe(false);
    expect(values(await sent({}), 'h:List-Unsubscribe')).toEqual([]);
    const own = { 'List-Unsubscribe': '<mailto:u@example.com>' };
    expect(values(await sent({ headers: own, tracking: { unsubscribe: true } }), 'h:List-Unsubscribe')).toEqual([
      '<mailto:u@example.com>',
    ]);
    const several = {
      ...message,
      ...withContent({ cc: [{ email: 'x@example.com' }], tracking: { unsubscribe: true } }),
    };
    expect(gateway().validate(several, {})).toEqual([expect.objectContaining({ field: 'tracking.unsubscribe' })]);
  });

  it('asks the region of the domain, and answers for what it cannot carry', async () => {
    await gateway().send(message, contextFor(accountB));
    expect(server.requests[0]!.target).toBe('/eu/v3/mg.example.org/messages');
    expect(mailgun.furtherUrls!.eu).toEqual({ env: 'MAILGUN_BASE_URL', default: 'https://api.eu.mailgun.net' });
    const big = { ...message, ...withContent({ headers: { 'X-A': 'é'.repeat(9000) } }) };
    expect(gateway().validate(big, {})).toEqual([expect.objectContaining({ field: 'headers', code: 'too_large' })]);
    const data = {
      ...message,
      ...withContent({ text: undefined, template_id: 't', template_data: { a: 'x'.repeat(17_000) } }),
    };
    expect(gateway().validate(data, {})).toEqual([
      expect.objectContaining({ field: 'template_data', code: 'too_large' }),
    ]);
    const attachments = [{ filename: 'a', content_type: 'text/plain', content: 'A'.repeat(26 * 1024 * 1024) }];
    expect(gateway().validate({ ...message, ...withContent({ attachments }) }, {})).toEqual([
      expect.objectContaining({ field: 'attachments', code: 'too_large' }),
    ]);
    expect(gateway().validate(message, {})).toEqual([]);
  });

  it('waits as long as the text of a 429 says', async () => {
    server.fallback = json(429, { message: `${TEXTS['limit exceeded']![1]}, try again after 120 seconds` });
    const failed = gateway().send(message, contextFor(accountA));
    await expect(failed).rejects.toMatchObject({ class: 'throttled', retryAfterMs: 120_000 });
    await expect(failed).rejects.toBeInstanceOf(GatewayError);
  });

  it('looks a mail up by its id, and one of unknown fate by recipient, time and our id', async () => {
    server.fallback = json(200, {
      items: [eventData('accepted'), eventData('failed', hard), eventData('opened')],
      paging: {},
    });
    await expect(gateway().getStatus!(ID, contextFor(accountA))).resolves.toMatchObject({
      externalId: ID,
      status: 'undelivered',
      rawWord: 'permanent_fail',
      error: { class: 'recipient_permanent' },
    });
    expect(server.requests[0]!.target).toBe(`/v3/mg.example.com/events?message-id=${encodeURIComponent(ID)}&limit=300`);
    const other = eventData('delivered', {
      'user-variables': { unimsg_message_id: 'msg_other' },
      message: { headers: { 'message-id': 'other@x' } },
    });
    server.fallback = json(200, { items: [other, eventData('accepted'), eventData('delivered')], paging: {} });
    await expect(gateway().findSent!(message, SAMPLE_NOW, contextFor(accountA))).resolves.toEqual([
      { externalId: ID, status: 'delivered', rawWord: 'delivered' },
    ]);
    expect(server.requests[1]!.target).toBe(
      `/v3/mg.example.com/events?begin=${SAMPLE_NOW / 1000 - 5}&ascending=yes&recipient=jane%40example.net&limit=300`,
    );
    server.fallback = json(200, { items: [], paging: {} });
    await expect(gateway().getStatus!(ID, contextFor(accountA))).resolves.toBeNull();
    await expect(gateway().findSent!(message, SAMPLE_NOW, contextFor(accountA))).resolves.toEqual([]);
  });

  it.each([
    [200, { domain: { state: 'active' } }, { healthy: true }],
    [
      200,
      { domain: { state: 'disabled' } },
      { healthy: false, errorClass: 'config', error: 'Mailgun: the domain is disabled' },
    ],
    [401, 'Forbidden', { healthy: false, errorClass: 'config' }],
    [404, { message: 'Domain not found' }, { healthy: false, errorClass: 'config' }],
    [500, {}, { healthy: false, errorClass: 'transient' }],
    [200, {}, { healthy: false, errorClass: 'transient' }],
  ])('tells its health by the state of the domain: %s %j', async (status, body, expected) => {
    server.fallback = json(status, body);
    expect(await gateway().healthCheck(contextFor(accountA))).toMatchObject(expected);
    expect(server.requests[0]!.target).toBe('/v4/domains/mg.example.com');
  });

  it.each([
    [
      'a temporary failure',
      { severity: 'temporary', reason: 'generic', 'delivery-status': { code: 452, 'retry-seconds': 600 } },
      'sent',
      'soft',
      undefined,
    ],
    [
      'too old',
      { severity: 'permanent', reason: 'old', 'delivery-status': { code: 499 } },
      'undelivered',
      'soft',
      'refused_by_receiver',
    ],
    [
      'blocked by the provider',
      { severity: 'permanent', reason: 'espblock' },
      'undelivered',
      'blocked',
      'sender_not_allowed',
    ],
    [
      'blocked by policy',
      { severity: 'permanent', reason: 'bounce', 'delivery-status': { code: 550, message: '550 5.7.1 no' } },
      'undelivered',
      'blocked',
      'sender_not_allowed',
    ],
    [
      'bounced before',
      { severity: 'permanent', reason: 'suppress-bounce', 'delivery-status': { code: 605 } },
      'undelivered',
      'hard',
      'suppressed_by_provider',
    ],
    [
      'complained before',
      { severity: 'permanent', reason: 'suppress-complaint', 'delivery-status': { code: 607 } },
      'undelivered',
      undefined,
      'suppressed_by_provider',
    ],
    [
      'unsubscribed before',
      { severity: 'permanent', reason: 'suppress-unsubscribe' },
      'undelivered',
      undefined,
      'opted_out',
    ],
    ['of no kind', { severity: 'permanent' }, 'undelivered', 'hard', 'invalid_recipient'],
  ])('tells failures apart: %s', (_, more, status, bounceType, code) => {
    const [first, second] = parse(eventData('failed', more));
    expect(first).toMatchObject({ kind: 'status', status });
    expect((first as { error?: { code: string } }).error?.code).toBe(code);
    if (bounceType === undefined) expect(second).toBeUndefined();
    else expect(second).toMatchObject({ kind: 'engagement', type: 'bounced', bounceType });
  });

  it('reads a rejection as failed, with what Mailgun says', () => {
    const reason = 'Sandbox subdomains are for test purposes only.';
    expect(parse(eventData('rejected', { reject: { reason, description: '' } }))).toEqual([
      expect.objectContaining({
        status: 'failed',
        error: expect.objectContaining({ class: 'config', providerCode: reason }),
      }),
    ]);
  });

  it.each([
    ['opened', { 'client-info': { bot: 'apple' } }, { type: 'opened', machine: true }],
    ['complained', {}, { type: 'complained' }],
    ['unsubscribed', {}, { type: 'unsubscribed' }],
  ])('reads %s', (word, more, expected) => {
    expect(parse(eventData(word, more))).toEqual([expect.objectContaining({ kind: 'engagement', ...expected })]);
  });

  it('lets only the first recipient of a mail move its status', () => {
    const own = { 'user-variables': { unimsg_message_id: message.id, unimsg_recipient: 'jane@example.net' } };
    expect(parse(eventData('delivered', { recipient: 'x@example.com', ...own }))[0]!.kind).toBe('ignored');
    expect(parse(eventData('delivered', own))[0]!.kind).toBe('status');
  });

  it('lets a signature prove the body that it first came with, as often as that comes, and no other', () => {
    const secrets = secretsOf(accountA);
    const request = callbackRequest(eventData('delivered', { id: 'replayed' }));
    verifyMailgun(request, secrets, SAMPLE_NOW);
    expect(() => verifyMailgun(request, secrets, SAMPLE_NOW + 1000)).not.toThrow();
    const rawBody = Buffer.from(request.rawBody.toString().replace('replayed', 'replaced'));
    expect(() => verifyMailgun({ ...request, rawBody }, secrets, SAMPLE_NOW)).toThrow(InvalidSignature);
  });

  it('signs time stamp and token, joined, in lower-case hexadecimal', () => {
    const documented = createHmac('sha256', 'signing-key').update('1529006854').update('a8ce0edb').digest('hex');
    expect(mailgunSignature('signing-key', '1529006854', 'a8ce0edb')).toBe(documented);
  });

  it('takes callbacks of an account without a signing key by the token in the URL only', () => {
    const unsigned = { credentials: {}, settings: {}, urlToken: new Secret('url-token') };
    const at = (url: string) => () =>
      verifyMailgun(callbackRequest(eventData('opened'), 'x', SAMPLE_NOW, url), unsigned, SAMPLE_NOW);
    expect(at(`${URL_EVENTS}?token=url-token`)).not.toThrow();
    expect(at(URL_EVENTS)).toThrow(InvalidSignature);
    expect(mailgun.callbacks.events!.needsUrlToken!(unsigned.credentials)).toBe(true);
  });
});
