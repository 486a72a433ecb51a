import { contextFor, providerContract, SAMPLE_NOW } from '../../../../test/contract/provider.contract';
import type { SampleAccount } from '../../../../test/contract/provider.contract';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import { answer, hang, json, ScriptedServer } from '../../../../test/support/scripted-server';
import type { CallbackRequest } from '../../../gateway/contracts/callback';
import type { OutboundMessage } from '../../../gateway/contracts/gateway';
import { ManualClock } from '../../../kernel/clock';
import { encodeForm } from '../../../kernel/form';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { elks } from './elks.provider';

const ID = 's70df59406a1b4643b96f3f91e0bfb7b0';
const accountA: SampleAccount = {
  settings: { sender_id: 'AcmeInc', default_country_code: '+46' },
  credentials: { api_username: 'uaaaa', api_password: 'password-of-a-123' },
};
const accountB: SampleAccount = {
  settings: { sender_id: 'Other' },
  credentials: { api_username: 'ubbbb', api_password: 'password-of-b-123' },
};

const message: OutboundMessage<'sms'> = {
  id: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  clientId: 'demo_0123456789abcdef',
  channel: 'sms',
  to: '+46701234567',
  from: null,
  priority: 'normal',
  content: { text: 'Grüße & 10 €+1' },
  expiresAt: SAMPLE_NOW + 3600 * 1000,
};

const sms = {
  id: ID,
  status: 'created',
  from: 'AcmeInc',
  to: '+46701234567',
  message: 'Grüße & 10 €+1',
  direction: 'outgoing',
  created: '2026-11-22T08:00:00.123456',
  parts: 1,
  cost: 3500,
};

const wire = (form: string): string =>
  `POST /a1/sms HTTP/1.1
host: 127.0.0.1:{port}
connection: keep-alive
authorization: Basic dWFhYWE6cGFzc3dvcmQtb2YtYS0xMjM=
accept: application/json
content-type: application/x-www-form-urlencoded
content-length: ${Buffer.byteLength(form)}

${form}`;
const CALLBACK =
  'whendelivered=https%3A%2F%2Fum.example.com%2Fwebhook%2Fx%2Fstatus%2Fcfg_1%3Fmessage_id%3Dmsg_01kaqz9yq8e5v6m3c2n1b0a9s8';
const BODY = 'Gr%C3%BC%C3%9Fe%20%26%2010%20%E2%82%AC%2B1';

const URL_STATUS = 'https://um.example.com/webhook/elks/status/cfg_1?message_id=msg_1&token=url-token';
const URL_INBOUND = 'https://um.example.com/webhook/elks/inbound/cfg_1?token=url-token';

const callbackRequest = (fields: Record<string, string>, url = URL_STATUS): CallbackRequest => ({
  method: 'POST',
  publicUrl: url,
  query: new URL(url).searchParams,
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  rawBody: Buffer.from(encodeForm(fields)),
});

const status = (word: string, more: Record<string, string> = {}): CallbackRequest =>
  callbackRequest({ id: ID, status: word, ...more });

const REFUSALS: Record<string, [number, string]> = {
  http_400_to: [400, 'Invalid to number'],
  http_400_from: [400, 'Missing key from'],
};

describe('46elks', () => {
  providerContract({
    definition: elks,
    accounts: [accountA, accountB],
    message,
    accepted: json(200, sms),
    credentialsOnWire: (request) => {
      const name = Buffer.from(request.headers.authorization!.slice(6), 'base64').toString();
      return `${name}/${new URLSearchParams(request.body).get('from')}`;
    },
    sends: [
      {
        name: "the config's sender, characters that a form must escape",
        wire: wire(`from=AcmeInc&to=%2B46701234567&message=${BODY}&${CALLBACK}`),
        answer: json(200, sms),
        result: { externalId: ID, segments: 1, cost: { amount: '0.35', currency: 'SEK' } },
      },
      {
        name: "the request's sender, three parts of a long text outside GSM",
        message: { from: '+46700000000', content: { text: 'жё' } },
        wire: wire(`from=%2B46700000000&to=%2B46701234567&message=%D0%B6%D1%91&${CALLBACK}`),
        answer: json(200, { ...sms, parts: 3, cost: 10_500 }),
        result: { externalId: ID, segments: 3, cost: { amount: '1.05', currency: 'SEK' } },
      },
      {
        name: 'reports to the address of the config, with our id kept in its query',
        account: {
          settings: { ...accountA.settings, dlr_callback_url: 'https://hööks.example.com/[elks]?a=1&message_id=x' },
        },
        wire: wire(
          `from=AcmeInc&to=%2B46701234567&message=${BODY}&whendelivered=https%3A%2F%2Fxn--hks-snaa.example.com%2F%255Belks%255D%3Fa%3D1%26message_id%3Dmsg_01kaqz9yq8e5v6m3c2n1b0a9s8`,
        ),
        answer: json(200, { id: ID, status: 'delivered', cost: 'free' }),
        result: { externalId: ID, status: 'delivered' },
      },
    ],
    codes: {
      recipient_permanent: ['http_400_to'],
      content_permanent: ['http_400'],
      config: ['http_400_from', 'http_401', 'http_403', 'http_404', 'http_405', 'http_415'],
      throttled: ['http_429'],
      transient: [],
      ambiguous: ['http_500', 'http_502', 'http_503', 'http_504'],
    },
    refusal: (code) => {
      const [code400, text] = REFUSALS[code] ?? [Number(code.slice(5)), ''];
      return answer(code400, text, { 'content-type': 'text/plain' });
    },
    providerCode: (code) => code.slice(0, 8),
    // Only a look-up tells what became of a message after any 5xx (46elks.com/docs says nothing of 503).
    httpClasses: { 405: 'config', 415: 'config', 503: 'ambiguous' },
    statuses: { created: 'queued', sent: 'sent', delivered: 'delivered', failed: 'undelivered' },
    callbacks: [
      {
        name: 'a delivery report',
        kind: 'status',
        request: () => status('delivered', { delivered: '2026-11-22T08:00:00.500000' }),
        events: [
          {
            kind: 'status',
            eventId: `${ID}:delivered`,
            externalId: ID,
            messageId: 'msg_1',
            occurredAt: SAMPLE_NOW + 500,
            rawWord: 'delivered',
            status: 'delivered',
          },
        ],
        forged: {
          'two tokens': () => callbackRequest({ id: ID, status: 'sent' }, `${URL_STATUS}&token=x`),
        },
      },
      {
        name: 'a failure, without our id',
        kind: 'status',
        request: () => callbackRequest({ id: ID, status: 'failed' }, URL_STATUS.replace('message_id=msg_1&', '')),
        events: [
          {
            kind: 'status',
            eventId: `${ID}:failed`,
            externalId: ID,
            occurredAt: null,
            rawWord: 'failed',
            status: 'undelivered',
            error: {
              class: 'transient',
              code: 'not_delivered',
              message: 'The network did not deliver the message; 46elks gives no reason',
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
              direction: 'incoming',
              id: ID,
              from: '+46701234567',
              to: '+46766861004',
              created: '2026-11-22T08:00:00',
              message: 'Hej\0 & hå',
            },
            URL_INBOUND,
          ),
        events: [
          {
            kind: 'inbound',
            eventId: ID,
            externalId: ID,
            occurredAt: SAMPLE_NOW,
            rawWord: 'incoming',
            from: '+46701234567',
            to: '+46766861004',
            text: 'Hej & hå',
          },
        ],
      },
    ],
    statusCallback: (word) => status(word),
  });

  it('answers callbacks with an empty body: another one would go out as an SMS', () => {
    for (const { answer: reply } of Object.values(elks.callbacks)) expect(reply).toEqual({ status: 200 });
  });

  it.each([
    ['0701234567', '+46', '+46701234567'],
    ['0701234567', undefined, '0701234567'],
    ['+4670123', '+46', '+4670123'],
    ['71700', '+46', '71700'],
    ['Acme', '+46', 'Acme'],
    ['0701', '+46', '0701'],
  ])('an inbound message from %s, with the country code %s, is from %s', (from, default_country_code, expected) => {
    const request = callbackRequest({ id: ID, from, to: from, message: 'x' }, URL_INBOUND);
    const settings = default_country_code === undefined ? {} : { default_country_code };
    expect(elks.callbacks.inbound!.parse(request, settings)).toMatchObject([{ from: expected, to: expected }]);
  });

  describe('calls', () => {
    let server: ScriptedServer;
    let http: UndiciHttpClient;
    const gateway = () =>
      elks.create(gatewayDeps({ http, baseUrl: server.origin, clock: new ManualClock(SAMPLE_NOW) }));
    beforeEach(async () => {
      server = await ScriptedServer.start();
      http = new UndiciHttpClient();
    });
    afterEach(async () => {
      await http.close();
      await server.close();
    });

    it.each([
      ['Invalid to number', 'recipient_permanent'],
      ['Missing key to', 'recipient_permanent'],
      ['{"error": "Bad value", "field": "to"}', 'recipient_permanent'],
      ['Bad recipient', 'recipient_permanent'],
      ['Invalid value for from', 'config'],
      ['Sender name not allowed', 'config'],
      ['Unable to process', 'content_permanent'],
      ['Missing key message', 'content_permanent'],
    ])('a 400 that says %p is %s', async (text, expected) => {
      server.fallback = answer(400, text);
      await expect(gateway().send(message, contextFor(accountA))).rejects.toMatchObject({
        class: expected,
        providerCode: 'http_400',
        providerText: text,
        scope: expected === 'config' ? 'sender' : 'account',
      });
    });

    it('getStatus reads the message', async () => {
      server.fallback = json(200, { ...sms, status: 'failed', cost: 7001 });
      await expect(gateway().getStatus!(ID, contextFor(accountA))).resolves.toEqual({
        externalId: ID,
        status: 'undelivered',
        rawWord: 'failed',
        error: { code: 'not_delivered', message: expect.any(String) },
        segments: 1,
        cost: { amount: '0.7001', currency: 'SEK' },
      });
      expect(server.requests[0]).toMatchObject({ method: 'GET', target: `/a1/sms/${ID}` });
      server.fallback = answer(404, 'No such SMS');
      await expect(gateway().getStatus!(ID, contextFor(accountA))).resolves.toBeNull();
      server.fallback = hang;
      await expect(gateway().getStatus!(ID, contextFor(accountA, { timeoutMs: 80 }))).rejects.toMatchObject({
        class: 'transient',
      });
      server.fallback = json(200, { id: ID });
      await expect(gateway().getStatus!(ID, contextFor(accountA))).rejects.toMatchObject({ code: 'unreadable_answer' });
    });

    it('finds a message of unknown fate by recipient, text and time', async () => {
      const old = { ...sms, id: 's0', created: '2026-11-22T07:59:00' };
      const others = [
        { ...sms, id: 's1', message: 'Another' },
        { ...sms, id: 's2', to: '+46700000001' },
        { ...sms, id: 's3', direction: 'incoming' },
        { ...sms, id: 's4', created: 'some day' },
        null,
      ];
      server.fallback = json(200, { data: [...others, { ...sms, status: 'sent' }, old] });
      await expect(gateway().findSent!(message, SAMPLE_NOW, contextFor(accountA))).resolves.toEqual([
        {
          externalId: ID,
          status: 'sent',
          rawWord: 'sent',
          segments: 1,
          cost: { amount: '0.35', currency: 'SEK' },
        },
      ]);
      expect(server.requests[0]).toMatchObject({ method: 'GET', target: '/a1/sms?to=%2B46701234567&limit=100' });
      server.fallback = json(200, {});
      await expect(gateway().findSent!(message, SAMPLE_NOW, contextFor(accountA))).rejects.toMatchObject({
        code: 'unreadable_answer',
      });
    });

    it.each([
      ['an account', json(200, { id: 'uaaaa', balance: 0, currency: 'SEK' }), { healthy: true }],
      ['refused credentials', answer(401, 'Nope'), { healthy: false, errorClass: 'config' }],
      ['an unavailable service', answer(503), { healthy: false, errorClass: 'transient' }],
      ['an answer that nobody can read', answer(200, '<html>'), { healthy: false, errorClass: 'transient' }],
    ])('healthCheck tells %s', async (_, script, expected) => {
      server.fallback = script;
      const report = await gateway().healthCheck(contextFor(accountA));
      expect(report).toMatchObject(expected);
      expect(JSON.stringify(report)).not.toContain('password-of-a');
      expect(server.requests[0]!.target).toBe('/a1/me');
    });
  });

  describe('validate', () => {
    const issues = (over: Partial<OutboundMessage<'sms'>>) =>
      elks
        .create(gatewayDeps({ http: new UndiciHttpClient(), baseUrl: '' }))
        .validate({ ...message, ...over }, accountA.settings)
        .map(({ field, code }) => [field, code]);
    it.each([
      ['an ordinary message', {}, []],
      ['an empty text', { content: { text: '' } }, [['message', 'required']]],
      ['1600 characters outside the BMP', { content: { text: '🙂'.repeat(1600) } }, []],
      ['1601 characters', { content: { text: 'x'.repeat(1601) } }, [['message', 'too_long']]],
      ['a number as sender', { from: '+46700000000' }, []],
      ['a short code as sender', { from: '71700' }, [['from', 'invalid_sender']]],
      ['a name', { from: 'MyShop1' }, []],
      ['a name with a space', { from: 'My Shop' }, [['from', 'invalid_sender']]],
      ['a name of two letters', { from: 'My' }, [['from', 'invalid_sender']]],
      ['a name that begins with a digit', { from: '4Shop' }, [['from', 'invalid_sender']]],
      ['a long name', { from: 'TwelveLetter' }, [['from', 'invalid_sender']]],
    ])('%s', (_, over, expected) => expect(issues(over)).toEqual(expected));
  });

  describe('settings', () => {
    const accepts = (settings: object) => elks.settings.safeParse({ sender_id: 'Acme', ...settings }).success;
    it.each([
      [{ sender_id: 'ElevenChars' }, true],
      [{ sender_id: 'TwelveLetter' }, false],
      [{ sender_id: 'Åkeri & Co' }, true],
      [{ sender_id: 'Привет' }, false],
      [{ sender_id: '' }, false],
      [{ sender_id: '+46701234567' }, true],
      [{ default_country_code: '+47' }, true],
      [{ default_country_code: '+999' }, false],
      [{ default_country_code: '46' }, false],
      [{ default_country_code: 'SE' }, false],
      [{ dlr_callback_url: 'https://hooks.example.com/x' }, true],
      [{ dlr_callback_url: 'ftp://hooks.example.com' }, false],
    ])('%j: %s', (settings, expected) => expect(accepts(settings)).toBe(expected));

    it('completes national numbers by the Swedish code unless told otherwise', () => {
      expect(elks.settings.parse({ sender_id: 'Acme' })).toMatchObject({ default_country_code: '+46' });
    });
  });
});
