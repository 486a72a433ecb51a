import { contextFor, providerContract, SAMPLE_NOW, secretsOf } from '../../../../test/contract/provider.contract';
import type { SampleAccount, SampleCallback } from '../../../../test/contract/provider.contract';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import { answer, json, ScriptedServer } from '../../../../test/support/scripted-server';
import type { CallbackRequest, NormalizedEvent } from '../../../gateway/contracts/callback';
import type { EmailContent, OutboundMessage } from '../../../gateway/contracts/gateway';
import { GatewayError, InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { ManualClock } from '../../../kernel/clock';
import { Secret } from '../../../kernel/secret';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { sendgrid } from './sendgrid.provider';
import { keyPairOf, sendgridSignature, verifySendgrid } from './sendgrid.signature';

const X_MESSAGE_ID = 'Xj5LmNkWSOqRbdvOpR34BA';
const SG_MESSAGE_ID = `${X_MESSAGE_ID}.recvd-85abf8d92c-3qfgp-2-7890E356-43C.1`;
const pairs = { a: keyPairOf('account a'), b: keyPairOf('account b') };

const accountA: SampleAccount = {
  settings: { from_email: 'orders@example.com', from_name: 'Example Shop' },
  credentials: { api_key: 'SG.key-of-a-0123456789', webhook_signing_key: pairs.a.publicKey },
};
const accountB: SampleAccount = {
  settings: { from_email: 'news@example.org' },
  credentials: { api_key: 'SG.key-of-b-9876543210', webhook_signing_key: pairs.b.publicKey },
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

const FROM = { email: 'orders@example.com', name: 'Example Shop' };
const TEXT = { content: [{ type: 'text/plain', value: 'Your order is here.' }] };
const personal = (more: object = {}, own: object = {}) => ({
  personalizations: [
    { to: [{ email: 'jane@example.net' }], ...more, custom_args: { unimsg_message_id: message.id, ...own } },
  ],
});
const wire = (body: object): string => {
  const text = JSON.stringify(body);
  return `POST /v3/mail/send HTTP/1.1
host: 127.0.0.1:{port}
connection: keep-alive
authorization: Bearer ${accountA.credentials.api_key}
accept: application/json
content-type: application/json
content-length: ${Buffer.byteLength(text)}

${text}`;
};
const accepted = answer(202, '', { 'x-message-id': X_MESSAGE_ID });
const result = { externalId: X_MESSAGE_ID };

const event = (word: string, more: object = {}) => ({
  email: 'jane@example.net',
  timestamp: SAMPLE_NOW / 1000,
  event: word,
  sg_event_id: `event-${word}`,
  sg_message_id: SG_MESSAGE_ID,
  'smtp-id': '<a@b>',
  category: 'x',
  unimsg_message_id: message.id,
  ...more,
});
const facts = (word: string) => ({
  eventId: `event-${word}`,
  externalId: X_MESSAGE_ID,
  messageId: message.id,
  occurredAt: SAMPLE_NOW,
  rawWord: word,
});

const URL_EVENTS = 'https://um.example.com/webhook/sendgrid/events/cfg_1';
function callbackRequest(events: unknown, pair = pairs.a, now = SAMPLE_NOW, url = URL_EVENTS): CallbackRequest {
  const body = `${JSON.stringify(events)}\r\n`;
  return {
    method: 'POST',
    publicUrl: url,
    query: new URL(url).searchParams,
    headers: { 'content-type': 'application/json', ...sendgridSignature(pair.privateKey, now / 1000, body) },
    rawBody: Buffer.from(body),
  };
}
const sample = (
  name: string,
  events: object[],
  expected: NormalizedEvent[],
  kind: 'status' | 'events' = 'events',
): SampleCallback => ({
  name,
  kind,
  request: (account, now) => callbackRequest(events, account === accountB ? pairs.b : pairs.a, now),
  events: expected,
  timed: true,
  proofHeader: 'x-twilio-email-event-webhook-signature',
  forged: {
    'another time stamp': (request) => ({
      ...request,
      headers: { ...request.headers, 'x-twilio-email-event-webhook-timestamp': String(SAMPLE_NOW / 1000 + 1) },
    }),
    'no time stamp': (request) => ({
      ...request,
      headers: { ...request.headers, 'x-twilio-email-event-webhook-timestamp': undefined },
    }),
  },
});

const callbacks: SampleCallback[] = [
  sample(
    'delivered',
    [event('delivered', { response: '250 OK' })],
    [{ kind: 'status', ...facts('delivered'), status: 'delivered' }],
    'status',
  ),
  sample(
    'a batch: processed, a machine open, a click',
    [
      event('processed'),
      event('open', { sg_machine_open: true, ip: '203.0.113.7', useragent: 'Proxy' }),
      event('click', { url: 'https://example.com/a', useragent: 'Mozilla', url_offset: { index: 0, type: 'html' } }),
    ],
    [
      { kind: 'status', ...facts('processed'), status: 'sent' },
      {
        kind: 'engagement',
        ...facts('open'),
        type: 'opened',
        machine: true,
        recipient: 'jane@example.net',
        detail: { ip: '203.0.113.7', user_agent: 'Proxy' },
      },
      {
        kind: 'engagement',
        ...facts('click'),
        type: 'clicked',
        recipient: 'jane@example.net',
        detail: { url: 'https://example.com/a', user_agent: 'Mozilla' },
      },
    ],
  ),
  sample(
    'a hard bounce',
    [
      event('bounce', {
        type: 'bounce',
        status: '5.1.1',
        reason: '550 5.1.1 unknown',
        bounce_classification: 'Invalid Address',
      }),
    ],
    [
      {
        kind: 'status',
        ...facts('bounce'),
        status: 'undelivered',
        error: {
          class: 'recipient_permanent',
          code: 'invalid_recipient',
          providerCode: '5.1.1',
          message: '550 5.1.1 unknown',
        },
      },
      {
        kind: 'engagement',
        ...facts('bounce'),
        eventId: 'event-bounce:bounced',
        type: 'bounced',
        bounceType: 'hard',
        recipient: 'jane@example.net',
        detail: { reason: '550 5.1.1 unknown', status: '5.1.1' },
      },
    ],
  ),
];

const parse = (events: object[]): NormalizedEvent[] => sendgrid.callbacks.events!.parse(callbackRequest(events));

providerContract({
  definition: sendgrid,
  accounts: [accountA, accountB],
  message,
  accepted,
  sends: [
    { name: 'a text', wire: wire({ from: FROM, subject: 'Hello', ...personal(), ...TEXT }), answer: accepted, result },
  ],
  credentialsOnWire: ({ headers }) => headers.authorization!.replace('Bearer ', ''),
  codes: {
    recipient_permanent: [
      'personalizations.to.email',
      'Invalid Address',
      'Mailbox Unavailable',
      'Invalid',
      'bounce',
      'Bounced Address',
      'Spam Reporting Address',
      'Unsubscribed Address',
    ],
    content_permanent: ['Invalid SMTPAPI header', 'Spam Content', 'Content'],
    config: ['from', 'from.email', 'Reputation', 'Maximum credits exceeded', 'Recipient List over Package Quota'],
    throttled: ['Frequency or Volume Too High'],
    transient: ['Technical', 'Unclassified', 'blocked'],
    ambiguous: [],
  },
  refusal: (code) => {
    if (code === 'Maximum credits exceeded') return json(401, { errors: [{ message: code, field: null, help: null }] });
    if (code === 'personalizations.to.email') {
      return json(400, { errors: [{ message: 'no', field: 'personalizations.0.to.0.email', help: null }] });
    }
    return code.startsWith('from') ? json(403, { errors: [{ message: 'no', field: code, help: null }] }) : null;
  },
  httpClasses: { 404: 'config', 405: 'config', 406: 'config', 413: 'content_permanent', 415: 'content_permanent' },
  statuses: {
    processed: 'sent',
    deferred: 'sent',
    delivered: 'delivered',
    bounce: 'undelivered',
    dropped: 'failed',
    cancel_drop: 'failed',
    group_resubscribe: null,
    account_status_change: null,
  },
  callbacks,
  statusCallback: (word) => callbackRequest([event(word)]),
});

describe('SendGrid', () => {
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

  const gateway = () => sendgrid.create(gatewayDeps({ http, baseUrl: server.origin, clock }));
  async function sent(
    more: Partial<EmailContent>,
    settings: Record<string, unknown> = accountA.settings,
  ): Promise<object> {
    await gateway().send({ ...message, ...withContent(more) }, contextFor({ ...accountA, settings }));
    return JSON.parse(server.requests.at(-1)!.body) as object;
  }

  it('reads whatever comes before a dot as the id where the way of the mail is an unknown one', () => {
    const [known] = parse([event('delivered', { sg_message_id: 'a.b.filter0001.16648.5515E0B88.0' })]);
    expect(known).toMatchObject({ externalId: 'a.b' });
    expect(known).not.toHaveProperty('idForms');
    expect(parse([event('delivered', { sg_message_id: 'a.b.elsewhere-1' })])).toMatchObject([
      { externalId: 'a', idForms: ['a', 'a.b', 'a.b.elsewhere-1'] },
    ]);
  });

  it('hands on every part of a mail, and names in any script as they are', async () => {
    const body = await sent({
      to: [{ email: 'jörg@bücher.example', name: 'Jörg "J" Müller, Köln' }],
      cc: [{ email: 'team@bücher.example' }],
      bcc: [{ email: '用户@例え.jp', name: '用户' }],
      from: { email: 'shop@example.com', name: 'Ładny Sklep' },
      reply_to: { email: 'help@example.com', name: 'Help' },
      subject: 'Grüße 🚀 – ñ',
      text: 'Ünï',
      html: '<p>Ünï</p>',
      headers: { 'X-Entity-Ref-ID': 'order-8121' },
      attachments: [
        { filename: 'Räch"nung.pdf', content_type: 'application/pdf', content: 'JVBERi0xLjQK' },
        { filename: 'termin.ics', content_type: 'text/calendar ; charset="utf-8"; method=REQUEST', content: 'QQ==' },
      ],
      tracking: { opens: true, clicks: false, unsubscribe: true },
    });
    expect(body).toEqual({
      personalizations: [
        {
          to: [{ email: 'jörg@bücher.example', name: 'Jörg "J" Müller, Köln' }],
          cc: [{ email: 'team@xn--bcher-kva.example' }],
          bcc: [{ email: '用户@例え.jp', name: '用户' }],
          custom_args: { unimsg_message_id: message.id, unimsg_recipient: 'jane@example.net' },
        },
      ],
      from: { email: 'shop@example.com', name: 'Ładny Sklep' },
      reply_to: { email: 'help@example.com', name: 'Help' },
      subject: 'Grüße 🚀 – ñ',
      content: [
        { type: 'text/plain', value: 'Ünï' },
        { type: 'text/html', value: '<p>Ünï</p>' },
      ],
      headers: { 'X-Entity-Ref-ID': 'order-8121' },
      attachments: [
        { content: 'JVBERi0xLjQK', filename: 'Räch"nung.pdf', type: 'application/pdf', disposition: 'attachment' },
        { content: 'QQ==', filename: 'termin.ics', type: 'text/calendar', disposition: 'attachment' },
      ],
      tracking_settings: {
        open_tracking: { enable: true },
        click_tracking: { enable: false },
        subscription_tracking: { enable: true },
      },
    });
  });

  it('uses a dynamic template with its data untouched, and an old one with texts', async () => {
    const data = { first_name: 'Jane', fooBar: { 'a-b': [1, { cD: null }] }, x_y: true };
    const dynamic = await sent({ text: undefined, template_id: 'd-0123', template_data: data });
    expect(dynamic).toMatchObject({ template_id: 'd-0123', personalizations: [{ dynamic_template_data: data }] });
    expect(dynamic).not.toHaveProperty('content');
    const old = await sent({
      text: undefined,
      template_id: 'b1946ac9-0123',
      template_data: { name: 'Jane', count: 3 },
    });
    expect(old).toMatchObject({ personalizations: [{ substitutions: { '{{name}}': 'Jane', '{{count}}': '3' } }] });
    const mail = { ...message, ...withContent({ template_id: 'b1946ac9', template_data: { deep: { a: 1 } } }) };
    expect(gateway().validate(mail, {})).toEqual([expect.objectContaining({ field: 'template_data.deep' })]);
  });

  it('takes what the config says: reply-to, tracking, pool, sandbox', async () => {
    const settings = {
      ...accountA.settings,
      reply_to_email: 'answers@example.com',
      enable_open_tracking: false,
      enable_click_tracking: true,
      enable_unsubscribe_tracking: true,
      ip_pool_name: 'transactional',
      sandbox_mode: true,
    };
    expect(await sent({ tracking: { opens: true } }, settings)).toMatchObject({
      reply_to: { email: 'answers@example.com' },
      ip_pool_name: 'transactional',
      mail_settings: { sandbox_mode: { enable: true } },
      tracking_settings: {
        open_tracking: { enable: true },
        click_tracking: { enable: true },
        subscription_tracking: { enable: true },
      },
    });
    const own = await sent({ headers: { 'list-unsubscribe': '<https://example.com/u>' } }, settings);
    expect(own).toMatchObject({ tracking_settings: { subscription_tracking: { enable: false } } });
    server.fallback = answer(200);
    const context = contextFor({ ...accountA, settings });
    await expect(gateway().send(message, context)).resolves.toEqual({ externalId: `sandbox-${message.id}` });
  });

  it('waits until the rate starts anew when there is no Retry-After', async () => {
    server.fallback = answer(429, '', { 'x-ratelimit-reset': String(SAMPLE_NOW / 1000 + 42) });
    const failed = gateway().send(message, contextFor(accountA));
    await expect(failed).rejects.toMatchObject({ class: 'throttled', retryAfterMs: 42_000 });
    await expect(failed).rejects.toBeInstanceOf(GatewayError);
  });

  it('refuses what is larger than 30 MiB', () => {
    const attachments = [{ filename: 'a', content_type: 'text/plain', content: 'A'.repeat(31 * 1024 * 1024) }];
    expect(gateway().validate({ ...message, ...withContent({ attachments }) }, {})).toEqual([
      expect.objectContaining({ field: 'attachments', code: 'too_large' }),
    ]);
    expect(gateway().validate(message, {})).toEqual([]);
  });

  it.each([
    [200, { scopes: ['mail.send', 'alerts.read'] }, { healthy: true }],
    [200, { scopes: ['alerts.read'] }, { healthy: false, errorClass: 'config' }],
    [401, { errors: [{ message: 'authorization required', field: null }] }, { healthy: false, errorClass: 'config' }],
    [503, {}, { healthy: false, errorClass: 'transient' }],
    [200, [], { healthy: false, errorClass: 'transient' }],
  ])('tells its health by the scopes of the key: %s %j', async (status, body, expected) => {
    server.fallback = json(status, body);
    expect(await gateway().healthCheck(contextFor(accountA))).toMatchObject(expected);
    expect(server.requests[0]!.target).toBe('/v3/scopes');
  });

  it('takes the verification key as PEM too, and no other text of several lines', () => {
    const { check } = sendgrid.credentials.webhook_signing_key!;
    const base64 = pairs.a.publicKey;
    const pem = `-----BEGIN PUBLIC KEY-----\n${base64.match(/.{1,64}/g)!.join('\n')}\n-----END PUBLIC KEY-----\n`;
    expect([check!(base64), check!(pem)]).toEqual([undefined, undefined]);
    expect(check!(`${base64.slice(0, 20)}\r\nx`)).toMatch(/PEM/);
    const account = { settings: {}, credentials: { webhook_signing_key: pem } };
    expect(() => verifySendgrid(callbackRequest([event('open')]), secretsOf(account), SAMPLE_NOW)).not.toThrow();
  });

  it('verifies the vector that Twilio publishes with its SDK', () => {
    const publicKey =
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==';
    const body = `${JSON.stringify([
      {
        email: 'hello@world.com',
        event: 'dropped',
        reason: 'Bounced Address',
        sg_event_id: 'ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA',
        sg_message_id: 'LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0',
        'smtp-id': '<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>',
        timestamp: 1600112492,
      },
    ])}\r\n`;
    const request: CallbackRequest = {
      ...callbackRequest([]),
      headers: {
        'x-twilio-email-event-webhook-signature':
          'MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=',
        'x-twilio-email-event-webhook-timestamp': '1600112502',
      },
      rawBody: Buffer.from(body),
    };
    const account = { settings: {}, credentials: { webhook_signing_key: publicKey } };
    expect(() => verifySendgrid(request, secretsOf(account), 1600112600_000)).not.toThrow();
    expect(sendgrid.callbacks.events!.parse(request)).toEqual([
      {
        kind: 'status',
        eventId: 'ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA',
        externalId: 'LRzXl_NHStOGhQ4kofSm_A',
        occurredAt: 1600112492_000,
        rawWord: 'dropped',
        status: 'failed',
        error: {
          class: 'recipient_permanent',
          code: 'suppressed_by_provider',
          providerCode: 'Bounced Address',
          message: 'Bounced Address',
        },
      },
    ]);
  });

  it('takes callbacks of an account that does not sign by the token in the URL only', () => {
    const unsigned = { credentials: { api_key: new Secret('SG.x') }, settings: {}, urlToken: new Secret('url-token') };
    const at = (url: string) => () =>
      verifySendgrid(callbackRequest([event('open')], pairs.a, SAMPLE_NOW, url), unsigned, SAMPLE_NOW);
    expect(at(`${URL_EVENTS}?token=url-token`)).not.toThrow();
    expect(at(URL_EVENTS)).toThrow(InvalidSignature);
    expect(at(`${URL_EVENTS}?token=other`)).toThrow(InvalidSignature);
    expect(sendgrid.callbacks.events!.needsUrlToken!(unsigned.credentials)).toBe(true);
  });

  it('takes the key as SendGrid shows it or as PEM, and proves nothing with anything else', () => {
    const request = callbackRequest([event('open')]);
    const withKey = (key: string) => () =>
      verifySendgrid(request, secretsOf({ settings: {}, credentials: { webhook_signing_key: key } }), SAMPLE_NOW);
    const { publicKey } = pairs.a;
    expect(withKey(publicKey)).not.toThrow();
    expect(
      withKey(`-----BEGIN PUBLIC KEY-----\n${publicKey.replace(/.{64}/, '$&\n')}\n-----END PUBLIC KEY-----\n`),
    ).not.toThrow();
    for (const wrong of [
      'not a key',
      publicKey.slice(0, -8),
      pairs.b.publicKey,
      sendgrid.credentials.webhook_signing_key!.example,
    ])
      expect(withKey(wrong)).toThrow(InvalidSignature);
  });

  it.each([
    ['blocked', { type: 'blocked', status: '5.7.1' }, 'blocked', 'transient'],
    ['without a type, 4xx', { status: '4.2.2' }, 'soft', 'transient'],
    ['without a type, 5xx', { status: '500' }, 'hard', 'recipient_permanent'],
    ['for reputation', { type: 'blocked', bounce_classification: 'Reputation' }, 'blocked', 'config'],
    ['for volume', { type: 'blocked', bounce_classification: 'Frequency or Volume Too High' }, 'blocked', 'throttled'],
    ['for content', { type: 'bounce', bounce_classification: 'Content' }, 'hard', 'content_permanent'],
  ])('tells bounces apart: %s', (_, more, bounceType, errorClass) => {
    expect(parse([event('bounce', more)])).toEqual([
      expect.objectContaining({ status: 'undelivered', error: expect.objectContaining({ class: errorClass }) }),
      expect.objectContaining({ type: 'bounced', bounceType }),
    ]);
  });

  it('counts a deferral as a soft bounce, and leaves the status', () => {
    expect(parse([event('deferred', { response: '452 4.2.2 full', attempt: '3' })])).toEqual([
      { kind: 'status', ...facts('deferred'), status: 'sent' },
      expect.objectContaining({ type: 'bounced', bounceType: 'soft', eventId: 'event-deferred:bounced' }),
    ]);
  });

  it.each([
    ['spamreport', 'complained'],
    ['unsubscribe', 'unsubscribed'],
    ['group_unsubscribe', 'unsubscribed'],
    ['open', 'opened'],
  ])('reads %s as %s', (word, type) => {
    const [first, ...rest] = parse([event(word, { sg_machine_open: false })]);
    expect(first).toMatchObject({ kind: 'engagement', type, recipient: 'jane@example.net' });
    expect(first).not.toHaveProperty('machine');
    expect(rest).toEqual([]);
  });

  it('lets only the first recipient of a mail move its status', () => {
    const own = { unimsg_recipient: 'Jane@Example.net' };
    expect(parse([event('delivered', { email: 'team@example.com', ...own })])[0]!.kind).toBe('ignored');
    expect(parse([event('delivered', own)])[0]).toMatchObject({ kind: 'status', status: 'delivered' });
    expect(parse([event('bounce', { email: 'team@example.com', type: 'bounce', ...own })])).toEqual([
      expect.objectContaining({ kind: 'ignored' }),
      expect.objectContaining({ type: 'bounced', recipient: 'team@example.com' }),
    ]);
  });

  it('finds the id of the answer in old and new message ids, and makes an event id where there is none', () => {
    const old = '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0';
    expect(parse([event('open', { sg_message_id: old })])[0]!.externalId).toBe('14c5d75ce93.dfd.64b469');
    const [one, same] = [1, 2].map(() => parse([event('open', { sg_event_id: undefined })])[0]!.eventId);
    expect(one).toBe(same);
    expect(parse([event('open', { sg_event_id: undefined, timestamp: 1 })])[0]!.eventId).not.toBe(one);
    expect(parse([event('open', { sg_message_id: undefined })])[0]).not.toHaveProperty('externalId');
  });
});
