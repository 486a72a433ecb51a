import { contextFor, providerContract, SAMPLE_NOW } from '../../../../test/contract/provider.contract';
import type { SampleAccount } from '../../../../test/contract/provider.contract';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import {
  answer,
  hang,
  json,
  resetAfterRequest,
  ScriptedServer,
  type Script,
  type WireRequest,
} from '../../../../test/support/scripted-server';
import type { CallbackRequest } from '../../../gateway/contracts/callback';
import type { Gateway, OutboundMessage } from '../../../gateway/contracts/gateway';
import { ManualClock } from '../../../kernel/clock';
import { encodeForm } from '../../../kernel/form';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { skebby } from './skebby.provider';

const ORDER = 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8';
const accountA: SampleAccount = {
  settings: { sender: 'AcmeInc', message_quality: 'GP' },
  credentials: { username: 'user-a', password: 'password-of-a-123' },
};
const accountB: SampleAccount = {
  settings: { sender: 'Other', message_quality: 'TI' },
  credentials: { username: 'user-b', password: 'password-of-b-123' },
};

const message: OutboundMessage<'sms'> = {
  id: ORDER,
  clientId: 'demo_0123456789abcdef',
  channel: 'sms',
  to: '+393331234567',
  from: null,
  priority: 'normal',
  content: { text: 'Grüße & 10 €+1' },
  expiresAt: SAMPLE_NOW + 3600 * 1000,
};

const taken = (over: object = {}): Script => json(201, { result: 'OK', order_id: ORDER, total_sent: 1, ...over });

const isSignIn = (request: WireRequest): boolean => request.target.includes('/API/v1.0/REST/token?');
const usernameOf = (request: WireRequest): string => new URL(request.target, 'http://x').searchParams.get('username')!;
const signedIn: Script = (socket, request) =>
  answer(200, `KEY-${usernameOf(request)};TOKEN-${usernameOf(request)}`)(socket, request);

const wire = (body: object): string => {
  const text = JSON.stringify(body);
  return `POST /API/v1.0/REST/sms HTTP/1.1
host: 127.0.0.1:{port}
connection: keep-alive
user_key: KEY-user-a
Access_token: TOKEN-user-a
accept: application/json
content-type: application/json
content-length: ${Buffer.byteLength(text)}

${text}`;
};

const STATUS_URL = 'https://um.example.com/webhook/skebby/status/cfg_1?token=url-token';
const INBOUND_URL = 'https://um.example.com/webhook/skebby/inbound/cfg_1?token=url-token';

function callbackRequest(
  fields: Record<string, string>,
  transport: 'get' | 'form' | 'json',
  url = STATUS_URL,
): CallbackRequest {
  const publicUrl = transport === 'get' ? `${url}&${encodeForm(fields)}` : url;
  const bodies = { get: '', form: encodeForm(fields), json: JSON.stringify(fields) };
  return {
    method: transport === 'get' ? 'GET' : 'POST',
    publicUrl,
    query: new URL(publicUrl).searchParams,
    headers: {},
    rawBody: Buffer.from(bodies[transport]),
  };
}

const report = (status: string): Record<string, string> => ({
  delivery_date: '20261122090000',
  order_id: ORDER,
  status,
  recipient: '+393331234567',
});

const WORDS: Record<string, string> = {
  http_400_recipient: 'Invalid recipient',
  http_400_credit: 'Not enough credit',
  http_400_sender: 'TPOA not allowed',
};

describe('Skebby', () => {
  providerContract({
    definition: skebby,
    accounts: [accountA, accountB],
    message,
    accepted: taken(),
    signIn: { matches: isSignIn, answer: signedIn },
    askedAgain: [401],
    credentialsOnWire: ({ headers, body }) => {
      const { sender } = JSON.parse(body) as { sender: string };
      return `${headers.user_key}/${headers.access_token}/${sender}`;
    },
    sends: [
      {
        name: "the config's sender and quality, GSM characters",
        wire: wire({
          message_type: 'GP',
          message: 'Grüße & 10 €+1',
          recipient: ['+393331234567'],
          sender: 'AcmeInc',
          encoding: 'gsm',
          order_id: ORDER,
          returnCredits: true,
        }),
        answer: taken(),
        result: { externalId: ORDER, segments: 1 },
      },
      {
        name: "the request's sender, characters outside GSM, three credits",
        message: { from: '+46700000000', content: { text: 'жё' } },
        account: { settings: { message_quality: 'TI' } },
        wire: wire({
          message_type: 'TI',
          message: 'жё',
          recipient: ['+393331234567'],
          sender: '+46700000000',
          encoding: 'ucs2',
          order_id: ORDER,
          returnCredits: true,
        }),
        answer: taken({ total_sent: 3, remaining_credits: 12, internal_order_id: 'A1' }),
        result: { externalId: ORDER, segments: 3 },
      },
      {
        name: 'the basic quality without a sender, an order whose id is not repeated',
        account: { settings: { sender: 'AcmeInc', message_quality: 'SI' } },
        wire: wire({
          message_type: 'SI',
          message: 'Grüße & 10 €+1',
          recipient: ['+393331234567'],
          encoding: 'gsm',
          order_id: ORDER,
          returnCredits: true,
        }),
        answer: json(201, { result: 'OK', total_sent: 1 }),
        result: { externalId: ORDER, segments: 1 },
      },
    ],
    codes: {
      recipient_permanent: ['UNKNRCPT', 'UNKNPFX', 'INVALIDDST', 'BLACKLISTED', 'http_400_recipient'],
      content_permanent: ['INVALIDCONTENTS', 'http_400'],
      config: ['DEMO', 'http_400_credit', 'http_400_sender', 'http_401', 'http_404'],
      throttled: ['TOOM4USER', 'TOOM4NUM', 'http_429'],
      transient: ['ERROR', 'KO', 'TIMEOUT', 'http_503'],
      ambiguous: ['http_500'],
    },
    refusal: (code) =>
      code.startsWith('http_') ? json(Number(code.slice(5, 8)), { result: WORDS[code] ?? 'no' }) : null,
    providerCode: (code) => code.slice(0, 8),
    statuses: {
      WAITING: 'queued',
      SCHEDULED: 'queued',
      SENT: 'sent',
      WAIT4DLVR: 'sent',
      DLVRD: 'delivered',
      TIMEOUT: 'undelivered',
      ERROR: 'failed',
      KO: 'failed',
      TOOM4USER: 'failed',
      TOOM4NUM: 'failed',
      UNKNRCPT: 'failed',
      UNKNPFX: 'failed',
      INVALIDDST: 'failed',
      BLACKLISTED: 'failed',
      INVALIDCONTENTS: 'failed',
      DEMO: 'failed',
      UNKNOWN: null,
    },
    callbacks: [
      ...(['get', 'form', 'json'] as const).map((transport) => ({
        name: `a delivery report by ${transport}`,
        kind: 'status' as const,
        request: () => callbackRequest(report('DLVRD'), transport),
        events: [
          {
            kind: 'status' as const,
            eventId: `${ORDER}:DLVRD`,
            externalId: ORDER,
            messageId: ORDER,
            occurredAt: null,
            rawWord: 'DLVRD',
            status: 'delivered' as const,
          },
        ],
        ...(transport === 'get' && {
          forged: { 'two tokens': () => callbackRequest({ ...report('DLVRD'), token: 'url-token' }, 'get') },
        }),
      })),
      {
        name: 'an order of somebody else that failed',
        kind: 'status',
        request: () => callbackRequest({ ...report('BLACKLISTED'), order_id: 'Their.Order-1' }, 'form'),
        events: [
          {
            kind: 'status',
            eventId: 'Their.Order-1:BLACKLISTED',
            externalId: 'Their.Order-1',
            occurredAt: null,
            rawWord: 'BLACKLISTED',
            status: 'failed',
            error: {
              class: 'recipient_permanent',
              code: 'recipient_blocked',
              providerCode: 'BLACKLISTED',
              message: 'The number is blacklisted',
            },
          },
        ],
      },
      {
        name: 'an inbound message',
        kind: 'inbound',
        request: () =>
          callbackRequest(
            {
              sender: '+393331234567',
              receiver: '393399957000',
              text: 'Ciao\0 è',
              timestamp: '1795334400',
              smsType: 'std',
            },
            'form',
            INBOUND_URL,
          ),
        events: [
          {
            kind: 'inbound',
            eventId: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown as string,
            repeatsFor: 86_400_000,
            occurredAt: 1795334400_000,
            rawWord: 'std',
            from: '+393331234567',
            to: '+393399957000',
            text: 'Ciao è',
            detail: { type: 'std' },
          },
        ],
      },
    ],
    statusCallback: (word) => callbackRequest(report(word), 'form'),
  });

  it('gives different inbound messages different event ids', () => {
    const idOf = (over: object): string =>
      skebby.callbacks.inbound!.parse(
        callbackRequest(
          { sender: '+391', receiver: '+392', text: 'a', timestamp: '1', date: '2', time: '3', ...over },
          'form',
        ),
      )[0]!.eventId;
    const changes = [{}, { sender: '+393' }, { receiver: '+393' }, { text: 'b' }, { timestamp: '2' }, { time: '4' }];
    expect(new Set(changes.map(idOf)).size).toBe(changes.length);
  });

  describe('calls', () => {
    let server: ScriptedServer;
    let http: UndiciHttpClient;
    let gateway: Gateway;
    beforeEach(async () => {
      server = await ScriptedServer.start(taken());
      server.aside = { matches: isSignIn, script: signedIn };
      http = new UndiciHttpClient();
      gateway = skebby.create(gatewayDeps({ http, baseUrl: server.origin, clock: new ManualClock(SAMPLE_NOW) }));
    });
    afterEach(async () => {
      await http.close();
      await server.close();
    });
    const send = (over = {}) => gateway.send(message, contextFor(accountA, over));

    it('signs in once, with the credentials, for any number of sends at the same time and later', async () => {
      await Promise.all(Array.from({ length: 20 }, () => send()));
      await send();
      expect(server.requests).toHaveLength(21);
      expect(server.asides.map(({ method, target }) => [method, target])).toEqual([
        ['GET', '/API/v1.0/REST/token?username=user-a&password=password-of-a-123'],
      ]);
    });

    it('signs in for each config and each version of it, and anew after a release', async () => {
      await send();
      await send({ configVersion: 2 });
      await send({ configId: 'cfg_2' });
      await send({ configVersion: 2 });
      expect(server.asides).toHaveLength(3);
      await gateway.release!('cfg_1');
      await send({ configId: 'cfg_2' });
      expect(server.asides).toHaveLength(3);
      await send();
      expect(server.asides).toHaveLength(4);
    });

    it('signs in anew when the token is refused, and sends what was not taken; all at once share the sign-in', async () => {
      let signIns = 0;
      server.aside!.script = (socket, request) => answer(200, `KEY;TOKEN-${++signIns}`)(socket, request);
      const valid = new Set(['TOKEN-1']);
      const orders: string[] = [];
      server.fallback = (socket, request) => {
        if (!valid.has(request.headers.access_token!)) return answer(401)(socket, request);
        orders.push(request.body);
        return taken()(socket, request);
      };
      await send();
      valid.clear();
      valid.add('TOKEN-2');
      await Promise.all(Array.from({ length: 10 }, () => send()));
      expect(signIns).toBe(2);
      expect(orders).toHaveLength(11);
    });

    it('gives up when a fresh token is refused too, and signs in anew the next time', async () => {
      server.fallback = answer(401, 'no');
      await expect(send()).rejects.toMatchObject({
        class: 'config',
        code: 'bad_credentials',
        providerCode: 'http_401',
      });
      expect([server.asides.length, server.requests.length]).toEqual([2, 2]);
      server.fallback = taken();
      await send();
      expect([server.asides.length, server.requests.length]).toEqual([3, 3]);
    });

    it.each([
      [
        'wrong credentials',
        answer(404, 'nope'),
        { class: 'config', code: 'bad_credentials', providerCode: 'http_404' },
      ],
      ['a refusal', answer(400), { class: 'config', code: 'bad_credentials' }],
      ['an internal error', answer(500), { class: 'transient', providerCode: 'http_500' }],
      ['an unavailable service', answer(503), { class: 'transient' }],
      ['a pause', answer(429, '', { 'retry-after': '3' }), { class: 'throttled', retryAfterMs: 3000 }],
      ['nonsense', answer(200, '<html>'), { class: 'transient', code: 'sign_in_failed' }],
      ['half of it', answer(200, 'KEY;'), { class: 'transient', code: 'sign_in_failed' }],
      ['a reset', resetAfterRequest, { class: 'transient', code: 'not_reached' }],
      ['nothing', hang, { class: 'transient', code: 'not_reached' }],
    ])('a sign-in that ends with %s sends nothing, and is tried again', async (_, script, expected) => {
      server.aside!.script = script;
      const error: unknown = await send(script === hang ? { timeoutMs: 100 } : {}).catch((caught: unknown) => caught);
      expect(error).toMatchObject(expected);
      expect(JSON.stringify(error) + String(error)).not.toContain('password-of-a');
      expect(server.requests).toHaveLength(0);
      server.aside!.script = signedIn;
      await send();
    });

    it('a caller that gives up during a sign-in ends at once; others go on with it', async () => {
      let release!: () => void;
      const started = new Promise<void>((resolve) => {
        server.aside!.script = (socket, request) => {
          release = () => signedIn(socket, request);
          resolve();
        };
      });
      const controller = new AbortController();
      const first = send({ signal: controller.signal });
      const second = send();
      await started;
      controller.abort();
      await expect(first).rejects.toMatchObject({ class: 'transient', providerCode: 'aborted' });
      release();
      await second;
      expect([server.asides.length, server.requests.length]).toEqual([1, 1]);
    });

    it.each([
      ['a result that is not OK', { result: 'KO' }, { class: 'content_permanent', providerCode: 'http_201' }],
      ['no recipient taken', { total_sent: 0 }, { class: 'content_permanent' }],
      ['a result that names the recipient', { result: 'Invalid recipient' }, { class: 'recipient_permanent' }],
      ['a result that names the credit', { result: 'CREDIT_EXHAUSTED' }, { class: 'config', code: 'no_credit' }],
      ['no number of parts', { total_sent: undefined }, { class: 'ambiguous', code: 'unreadable_answer' }],
    ])('201 with %s is no success', async (_, over, expected) => {
      server.fallback = taken(over);
      await expect(send()).rejects.toMatchObject(expected);
    });

    it('200 is no success: only a 201 says that the order was made', async () => {
      server.fallback = json(200, { result: 'OK', order_id: ORDER, total_sent: 1 });
      await expect(send()).rejects.toMatchObject({ class: 'ambiguous', code: 'unreadable_answer' });
    });

    it.each([
      ['DLVRD', { status: 'delivered' }],
      ['WAIT4DLVR', { status: 'sent' }],
      ['UNKNOWN', { status: null }],
      ['TELEPORTED', { status: null }],
      ['UNKNPFX', { status: 'failed', error: { code: 'invalid_recipient', providerCode: 'UNKNPFX' } }],
    ])('getStatus and findSent read the state %s of our order', async (word, expected) => {
      const recipients = [{ destination: '+393331234567', status: word, delivery_date: '20261122090000' }];
      server.fallback = json(200, { result: 'OK', recipient_number: 1, recipients });
      const found = { externalId: ORDER, rawWord: word, ...expected };
      await expect(gateway.getStatus!(ORDER, contextFor(accountA))).resolves.toMatchObject(found);
      await expect(gateway.findSent!(message, SAMPLE_NOW, contextFor(accountA))).resolves.toMatchObject([found]);
      expect(server.requests.map(({ method, target }) => [method, target])).toEqual(
        Array(2).fill(['GET', `/API/v1.0/REST/sms/${ORDER}`]),
      );
    });

    it('finds no order that was not made, and says so when it cannot find out', async () => {
      server.fallback = answer(404);
      await expect(gateway.getStatus!(ORDER, contextFor(accountA))).resolves.toBeNull();
      await expect(gateway.findSent!(message, SAMPLE_NOW, contextFor(accountA))).resolves.toEqual([]);
      server.fallback = json(200, { recipients: [] });
      await expect(gateway.getStatus!(ORDER, contextFor(accountA))).rejects.toMatchObject({
        code: 'unreadable_answer',
      });
      server.fallback = hang;
      await expect(gateway.getStatus!(ORDER, contextFor(accountA, { timeoutMs: 80 }))).rejects.toMatchObject({
        class: 'transient',
      });
    });

    it.each([
      ['an account', json(200, { money: 0, sms: [] }), { healthy: true }],
      ['a refused token', answer(401), { healthy: false, errorClass: 'config' }],
      ['an unavailable service', answer(503), { healthy: false, errorClass: 'transient' }],
      ['an answer that nobody can read', answer(200, '<html>'), { healthy: false, errorClass: 'transient' }],
    ])('healthCheck tells %s', async (_, script, expected) => {
      server.fallback = script;
      await expect(gateway.healthCheck(contextFor(accountA))).resolves.toMatchObject(expected);
      expect(server.requests[0]!.target).toBe('/API/v1.0/REST/status?getMoney=true&typeAliases=true');
    });
  });

  describe('validate', () => {
    const issues = (over: Partial<OutboundMessage<'sms'>>, settings = accountA.settings) =>
      skebby
        .create(gatewayDeps({ http: new UndiciHttpClient(), baseUrl: '' }))
        .validate({ ...message, ...over }, settings)
        .map(({ field, code }) => [field, code]);
    const BASIC = { message_quality: 'SI' };
    it.each([
      ['an ordinary message', {}, undefined, []],
      ['an empty text', { content: { text: '' } }, undefined, [['message', 'required']]],
      ['1000 GSM characters', { content: { text: 'x'.repeat(1000) } }, undefined, []],
      ['1001 GSM characters', { content: { text: 'x'.repeat(1001) } }, undefined, [['message', 'too_long']]],
      ['450 other characters', { content: { text: 'ж'.repeat(450) } }, undefined, []],
      ['451 other characters', { content: { text: 'ж'.repeat(451) } }, undefined, [['message', 'too_long']]],
      ['two parts in quality SI', { content: { text: 'x'.repeat(161) } }, BASIC, [['message', 'too_long']]],
      ['one part in quality SI', { content: { text: 'x'.repeat(160) } }, BASIC, []],
      ['a sender in quality SI', { from: 'Shop' }, BASIC, [['from', 'sender_not_supported']]],
      ['a number as sender', { from: '+46700000000' }, undefined, []],
      ['a name with a space', { from: 'My Shop' }, undefined, []],
      ['a long name', { from: 'TwelveLetter' }, undefined, [['from', 'invalid_sender']]],
    ])('%s', (_, over, settings, expected) => expect(issues(over, settings)).toEqual(expected));

    it('takes Classic+ when a config says nothing', () => {
      expect(skebby.settings.parse({})).toEqual({ message_quality: 'GP' });
      expect(skebby.settings.safeParse({ message_quality: 'best' }).success).toBe(false);
    });
  });
});
