import { createHmac } from 'node:crypto';
import { contextFor, providerContract, SAMPLE_NOW, secretsOf } from '../../../../test/contract/provider.contract';
import type { SampleAccount, SampleCallback } from '../../../../test/contract/provider.contract';
import { answer, hang, json, ScriptedServer, type Script } from '../../../../test/support/scripted-server';
import type { CallbackRequest } from '../../../gateway/contracts/callback';
import type { OutboundMessage } from '../../../gateway/contracts/gateway';
import { InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { ManualClock } from '../../../kernel/clock';
import { encodeForm, type FormField } from '../../../kernel/form';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { vonage } from './vonage.provider';
import { vonageBearer, vonageSig, type VonageSignatureMethod } from './vonage.signature';
import { gatewayDeps } from '../../../../test/support/gateway-deps';

const ID = '0A0000001234567B';
const accountA: SampleAccount = {
  settings: { from: 'AcmeInc' },
  credentials: { api_key: 'aaaa1111', api_secret: 'secret-of-a-123', signature_secret: 'signature-of-a-456' },
};
const accountB: SampleAccount = {
  settings: { from: 'Other' },
  credentials: { api_key: 'bbbb2222', api_secret: 'secret-of-b-123', signature_secret: 'signature-of-b-456' },
};

const message: OutboundMessage<'sms'> = {
  id: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  clientId: 'demo_0123456789abcdef',
  channel: 'sms',
  to: '+393331234567',
  from: null,
  priority: 'normal',
  content: { text: 'Grüße & 10 €+1' },
  expiresAt: SAMPLE_NOW + 3600 * 1000,
};

const part = {
  to: '393331234567',
  'message-id': ID,
  status: '0',
  'remaining-balance': '3.14',
  'message-price': '0.03330000',
  network: '12345',
};
const accepted = (...parts: object[]): Script => json(200, { 'message-count': String(parts.length), messages: parts });

const wire = (form: string): string =>
  `POST /sms/json HTTP/1.1
host: 127.0.0.1:{port}
connection: keep-alive
content-type: application/x-www-form-urlencoded
accept: application/json
content-length: ${Buffer.byteLength(form)}

${form}`;
const KEYS = 'api_key=aaaa1111&api_secret=secret-of-a-123';
const REST =
  'callback=https%3A%2F%2Fum.example.com%2Fwebhook%2Fx%2Fstatus%2Fcfg_1%3Fmessage_id%3Dmsg_01kaqz9yq8e5v6m3c2n1b0a9s8&client-ref=msg_01kaqz9yq8e5v6m3c2n1b0a9s8';
const BODY = 'Gr%C3%BC%C3%9Fe%20%26%2010%20%E2%82%AC%2B1';

const URL_STATUS = 'https://um.example.com/webhook/vonage/status/cfg_1?message_id=msg_1';

type Transport = 'get' | 'form' | 'json';

function callbackRequest(
  fields: FormField[],
  transport: Transport,
  url = URL_STATUS,
  headers: Record<string, string> = {},
): CallbackRequest {
  const form = fields.map(([name, value]) => encodeForm({ [name]: value })).join('&');
  const publicUrl = transport === 'get' ? `${url}${url.includes('?') ? '&' : '?'}${form}` : url;
  const types = { get: undefined, form: 'application/x-www-form-urlencoded', json: 'application/json' };
  return {
    method: transport === 'get' ? 'GET' : 'POST',
    publicUrl,
    query: new URL(publicUrl).searchParams,
    headers: { 'content-type': types[transport], ...headers },
    rawBody: Buffer.from({ get: '', form, json: JSON.stringify(Object.fromEntries(fields)) }[transport]),
  };
}

const receipt = (account: SampleAccount, status: string, more: FormField[] = []): FormField[] => [
  ['msisdn', '393331234567'],
  ['to', 'AcmeInc'],
  ['network-code', '12345'],
  ['messageId', ID],
  ['price', '0.03330000'],
  ['status', status],
  ['scts', '2611220800'],
  ['api-key', account.credentials.api_key!],
  ['message-timestamp', '2026-11-22 08:00:00'],
  ...more,
];

const signedFields = (
  fields: FormField[],
  account: SampleAccount,
  now: number,
  method: VonageSignatureMethod,
): FormField[] => {
  const stamped: FormField[] = [...fields, ['timestamp', String(now / 1000)], ['nonce', 'ec11dd3e']];
  return [...stamped, ['sig', vonageSig(method, account.credentials.signature_secret!, stamped)]];
};

const bearer = (
  request: CallbackRequest,
  account: SampleAccount,
  now: number,
  claims: object = {},
): CallbackRequest => ({
  ...request,
  headers: {
    ...request.headers,
    authorization: vonageBearer(
      account.credentials.signature_secret!,
      { iat: now / 1000, jti: 'j', iss: 'Vonage', api_key: account.credentials.api_key, ...claims },
      request.rawBody,
    ),
  },
});

const event = {
  eventId: `${ID}:delivered`,
  externalId: ID,
  messageId: 'msg_1',
  occurredAt: SAMPLE_NOW,
  rawWord: 'delivered',
};
const delivered = { kind: 'status' as const, ...event, status: 'delivered' as const };
const UNSIGNED = { credentials: { signature_secret: '' } };
const withToken = (token: string, url = URL_STATUS): string => `${url}${url.includes('?') ? '&' : '?'}token=${token}`;

const callbacks: SampleCallback[] = [
  ...(['get', 'form', 'json'] as const).map((transport): SampleCallback => ({
    name: `sig, ${transport}`,
    kind: 'status',
    timed: true,
    request: (account, now) =>
      callbackRequest(
        signedFields(
          receipt(account, 'delivered', [
            ['err-code', '0'],
            ['new-field', 'a&b=c ü'],
            ['empty', ''],
          ]),
          account,
          now,
          'sha256',
        ),
        transport,
      ),
    events: [delivered],
    forged: {
      'an unsigned one': () => callbackRequest(receipt(accountA, 'delivered'), transport),
      'one without time stamp': () => {
        const fields = receipt(accountA, 'delivered');
        return callbackRequest(
          [...fields, ['sig', vonageSig('sha256', accountA.credentials.signature_secret!, fields)]],
          transport,
        );
      },
      'MD5 that nobody asked for': () =>
        callbackRequest(signedFields(receipt(accountA, 'delivered'), accountA, SAMPLE_NOW, 'md5'), transport),
      'SHA-1 that nobody asked for': () =>
        callbackRequest(signedFields(receipt(accountA, 'delivered'), accountA, SAMPLE_NOW, 'sha1'), transport),
      "another account's key under this secret": () =>
        callbackRequest(signedFields(receipt(accountB, 'delivered'), accountA, SAMPLE_NOW, 'sha256'), transport),
    },
  })),
  {
    name: 'sig by md5hash, as accounts sign at first, when the config names no method',
    kind: 'status',
    timed: true,
    request: (account, now) =>
      callbackRequest(signedFields(receipt(account, 'delivered'), account, now, 'md5hash'), 'form'),
    events: [delivered],
  },
  ...(
    [
      ['md5hash', 'md5hash'],
      ['MD5HASH', 'md5hash'],
      ['md5', 'md5'],
      ['MD5HMAC', 'md5'],
      ['sha1', 'sha1'],
      ['SHA1HMAC', 'sha1'],
      ['sha256', 'sha256'],
      ['SHA256HMAC', 'sha256'],
      ['sha-256-hmac', 'sha256'],
      ['SHA512', 'sha512'],
    ] as const
  ).map(([named, method]): SampleCallback => ({
    name: `sig by the method that the config names: ${named}`,
    kind: 'status',
    timed: true,
    account: { credentials: { signature_method: named } },
    request: (account, now) =>
      callbackRequest(signedFields(receipt(account, 'delivered'), account, now, method), 'form'),
    events: [delivered],
    forged: {
      'another method than the one named': () =>
        callbackRequest(
          signedFields(receipt(accountA, 'delivered'), accountA, SAMPLE_NOW, method === 'sha256' ? 'sha512' : 'sha256'),
          'form',
        ),
    },
  })),
  {
    name: 'sig over a GET with our own parameters too',
    kind: 'status',
    timed: true,
    request: (account, now) => {
      const own: FormField[] = [
        ['message_id', 'msg_1'],
        ['token', 't'],
      ];
      const fields = signedFields([...own, ...receipt(account, 'delivered')], account, now, 'sha512');
      return callbackRequest(fields, 'get', 'https://um.example.com/webhook/vonage/status/cfg_1');
    },
    events: [delivered],
  },
  {
    name: 'a signed token over JSON with numbers',
    kind: 'status',
    timed: true,
    proofHeader: 'authorization',
    request: (account, now) => {
      const plain = callbackRequest([], 'json');
      const body = {
        ...Object.fromEntries(receipt(account, 'failed')),
        'err-code': 9,
        extra: { a: [1] },
        'client-ref': 'msg_signed',
      };
      return bearer({ ...plain, rawBody: Buffer.from(JSON.stringify(body)) }, account, now);
    },
    events: [
      {
        kind: 'status',
        ...event,
        eventId: `${ID}:failed`,
        messageId: 'msg_signed',
        rawWord: 'failed',
        status: 'undelivered',
        error: {
          class: 'recipient_permanent',
          code: 'opted_out',
          providerCode: '9',
          message: 'Illegal number: the recipient has opted out',
        },
      },
    ],
    forged: {
      'a token without the hash of the body': (request) => {
        const [head, payload] = request.headers.authorization!.slice(7).split('.');
        const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as Record<string, unknown>;
        delete claims.payload_hash;
        const text = `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
        const sig = createHmac('sha256', accountA.credentials.signature_secret!).update(text).digest('base64url');
        return { ...request, headers: { ...request.headers, authorization: `Bearer ${text}.${sig}` } };
      },
      'a token of another algorithm': (request) => {
        const payload = request.headers.authorization!.split('.')[1];
        const text = `${Buffer.from('{"alg":"HS512"}').toString('base64url')}.${payload}`;
        const sig = createHmac('sha256', accountA.credentials.signature_secret!).update(text).digest('base64url');
        return { ...request, headers: { ...request.headers, authorization: `Bearer ${text}.${sig}` } };
      },
      'a token that says alg none': (request) => {
        const payload = request.headers.authorization!.split('.')[1];
        const authorization = `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
        return { ...request, headers: { ...request.headers, authorization } };
      },
      'a token that is out of date': (request) => bearer(request, accountA, SAMPLE_NOW, { exp: SAMPLE_NOW / 1000 - 1 }),
      'a token without time': (request) => bearer(request, accountA, SAMPLE_NOW, { iat: undefined }),
      "another account's key in the token": (request) => bearer(request, accountA, SAMPLE_NOW, { api_key: 'bbbb2222' }),
      'a token on a GET': () => bearer(callbackRequest(receipt(accountA, 'delivered'), 'get'), accountA, SAMPLE_NOW),
    },
  },
  {
    name: 'a concatenated inbound message',
    kind: 'inbound',
    timed: true,
    request: (account, now) =>
      callbackRequest(
        signedFields(
          [
            ['api-key', account.credentials.api_key!],
            ['msisdn', '393331234567'],
            ['to', '46700000000'],
            ['messageId', ID],
            ['text', 'Hallo\0 &='],
            ['type', 'text'],
            ['keyword', 'HALLO'],
            ['message-timestamp', '2026-11-22T08:00:00'],
            ['concat', 'true'],
            ['concat-ref', '7'],
            ['concat-total', '3'],
            ['concat-part', '2'],
          ],
          account,
          now,
          'sha256',
        ),
        'form',
        'https://um.example.com/webhook/vonage/inbound/cfg_1',
      ),
    events: [
      {
        kind: 'inbound',
        eventId: ID,
        externalId: ID,
        occurredAt: SAMPLE_NOW,
        rawWord: 'text',
        from: '+393331234567',
        to: '+46700000000',
        text: 'Hallo &=',
        part: { reference: '7', number: 2, total: 3 },
        detail: { type: 'text', keyword: 'HALLO' },
      },
    ],
  },
];

describe('Vonage', () => {
  providerContract({
    definition: vonage,
    accounts: [accountA, accountB],
    message,
    accepted: accepted(part),
    credentialsOnWire: (request) => {
      const form = new URLSearchParams(request.body);
      return `${form.get('api_key')}:${form.get('api_secret')}`;
    },
    sends: [
      {
        name: "the config's sender, GSM characters",
        wire: wire(`${KEYS}&from=AcmeInc&to=393331234567&text=${BODY}&type=text&ttl=3600000&${REST}`),
        answer: accepted(part),
        result: { externalId: ID, externalIds: [ID], segments: 1, cost: { amount: '0.0333', currency: 'EUR' } },
      },
      {
        name: "the request's sender, characters outside GSM, three parts, hardly any time left",
        message: { from: '+46700000000', content: { text: 'жё' }, expiresAt: SAMPLE_NOW + 5 },
        wire: wire(`${KEYS}&from=46700000000&to=393331234567&text=%D0%B6%D1%91&type=unicode&ttl=20000&${REST}`),
        answer: accepted(
          part,
          { ...part, 'message-id': 'P2' },
          { ...part, 'message-id': 'P3', 'message-price': '0.1' },
        ),
        result: {
          externalId: ID,
          externalIds: [ID, 'P2', 'P3'],
          segments: 3,
          cost: { amount: '0.1666', currency: 'EUR' },
        },
      },
      {
        name: 'a config whose number has a plus, more time than Vonage keeps a message, no price',
        message: { expiresAt: SAMPLE_NOW + 35 * 24 * 3600 * 1000 },
        account: { settings: { from: '+46711111111' } },
        wire: wire(`${KEYS}&from=46711111111&to=393331234567&text=${BODY}&type=text&ttl=604800000&${REST}`),
        answer: accepted({ to: '393331234567', 'message-id': ID, status: '0' }),
        result: { externalId: ID, externalIds: [ID], segments: 1 },
      },
    ],
    codes: {
      throttled: ['1', '10'],
      content_permanent: ['2', '3', '12', 'dlr_6', 'dlr_10', 'dlr_52'],
      config: ['4', '8', '9', '11', '14', '15', '23', '29', '32', 'dlr_50', 'dlr_51', 'dlr_53', 'dlr_54'],
      ambiguous: ['5'],
      recipient_permanent: [
        '6',
        '7',
        '22',
        '33',
        'dlr_2',
        'dlr_3',
        'dlr_4',
        'dlr_7',
        'dlr_9',
        'dlr_12',
        'dlr_13',
        'dlr_14',
        'dlr_15',
      ],
      transient: ['dlr_1', 'dlr_5', 'dlr_8', 'dlr_11', 'dlr_99'],
    },
    refusal: (code) => (code.startsWith('dlr_') ? null : accepted({ status: code, 'error-text': 'Vonage says no' })),
    httpClasses: { 420: 'throttled' },
    statuses: {
      accepted: 'sent',
      buffered: 'sent',
      delivered: 'delivered',
      expired: 'undelivered',
      rejected: 'undelivered',
      failed: 'undelivered',
      unknown: null,
    },
    callbacks,
    statusCallback: (word) => callbackRequest(receipt(accountA, word), 'form'),
  });

  describe('without a signature secret', () => {
    const account: SampleAccount = {
      settings: accountA.settings,
      credentials: { ...accountA.credentials, ...UNSIGNED.credentials },
    };
    const { verify, parse, needsUrlToken } = vonage.callbacks.status!;
    const secrets = secretsOf(account, 'the-token');

    it('asks for a token in the URL, and only then', () => {
      expect(needsUrlToken!(secretsOf({ settings: {}, credentials: { api_key: 'aaaa1111' } }).credentials)).toBe(true);
      expect(needsUrlToken!(secretsOf(accountA).credentials)).toBe(false);
    });

    it.each(['get', 'form', 'json'] as const)('the token proves a callback by %s', (transport) => {
      const request = callbackRequest(receipt(account, 'delivered'), transport, withToken('the-token'));
      verify(request, secrets, SAMPLE_NOW);
      expect(parse(request)).toEqual([delivered]);
    });

    it.each(['', 'the-toke', 'the-token2', 'THE-TOKEN', 'undefined'])('refuses the token %p', (token) => {
      const request = callbackRequest(receipt(account, 'delivered'), 'form', withToken(token));
      expect(() => verify(request, secrets, SAMPLE_NOW)).toThrow(InvalidSignature);
    });

    it('refuses a callback without token, and one of another account', () => {
      expect(() => verify(callbackRequest(receipt(account, 'delivered'), 'form'), secrets, SAMPLE_NOW)).toThrow(
        InvalidSignature,
      );
      const other = callbackRequest(receipt(accountB, 'delivered'), 'form', withToken('the-token'));
      expect(() => verify(other, secrets, SAMPLE_NOW)).toThrow(InvalidSignature);
    });

    it('does not take the token for a signature once there is a secret', () => {
      const request = callbackRequest(receipt(accountA, 'delivered'), 'form', withToken('the-token'));
      expect(() => verify(request, secretsOf(accountA, 'the-token'), SAMPLE_NOW)).toThrow(InvalidSignature);
    });
  });

  describe('signature', () => {
    const fields: FormField[] = [
      ['a', '1'],
      ['b', '2'],
      ['timestamp', '1461605396'],
    ];

    // The test vectors of Vonage's own Python library.
    it.each([
      ['md5hash', '6af838ef94998832dbfc29020b564830'],
      ['md5', 'c15c21ced558c93a226c305f58f902f2'],
      ['sha1', '3e19a4e6880fdc2c1426bfd0587c98b9532f0210'],
      ['sha256', 'a321e824b9b816be7c3f28859a31749a098713d39f613c80d455bbaffae1cd24'],
      [
        'sha512',
        '812a18f76680fa0fe1b8bd9ee1625466ceb1bd96242e4d050d2cfd9a7b40166c63ed26ec9702168781b6edcf1633db8ff95af9341701004eec3fcf9550572ee8',
      ],
    ] as const)('agrees with the published vector of %s', (method, expected) => {
      expect(vonageSig(method, 'secret', fields)).toBe(expected);
    });

    it('ignores order, and takes upper-case hexadecimal', () => {
      expect(vonageSig('sha256', 'secret', [...fields].reverse())).toBe(vonageSig('sha256', 'secret', fields));
      const signed = signedFields(receipt(accountA, 'delivered'), accountA, SAMPLE_NOW, 'sha256');
      const upper = signed.map(([name, value]): FormField => [name, name === 'sig' ? value.toUpperCase() : value]);
      vonage.callbacks.status!.verify(callbackRequest(upper, 'form'), secretsOf(accountA), SAMPLE_NOW);
    });
  });

  describe('calls', () => {
    let server: ScriptedServer;
    let http: UndiciHttpClient;
    const gateway = () =>
      vonage.create(gatewayDeps({ http, baseUrl: server.origin, clock: new ManualClock(SAMPLE_NOW) }));
    beforeEach(async () => {
      server = await ScriptedServer.start();
      http = new UndiciHttpClient();
    });
    afterEach(async () => {
      await http.close();
      await server.close();
    });

    it.each([
      ['the second of two parts refused', [part, { status: '5', 'error-text': 'Internal Error' }], 'partly_taken'],
      ['the first of two parts refused', [{ status: '6', 'error-text': 'Invalid Message' }, part], 'partly_taken'],
      ['a part without id', [part, { status: '0' }], 'unreadable_answer'],
      ['a part without status', [{ 'message-id': ID }], 'unreadable_answer'],
      ['no parts', [], 'unreadable_answer'],
    ])('%s is ambiguous', async (_, parts, code) => {
      server.fallback = accepted(...parts);
      await expect(gateway().send(message, contextFor(accountA))).rejects.toMatchObject({ class: 'ambiguous', code });
    });

    it.each([
      ['2', 'Missing to param', 'recipient_permanent'],
      ['2', 'Missing from param', 'content_permanent'],
      ['3', 'Invalid value for param: to', 'recipient_permanent'],
      ['3', 'to address is not numeric', 'recipient_permanent'],
      ['3', 'Unable to process the request', 'content_permanent'],
      ['3', 'Invalid value for param: text', 'content_permanent'],
      ['3', undefined, 'content_permanent'],
    ])('status %s with the text %p is %s', async (status, text, expected) => {
      server.fallback = accepted({ status, 'error-text': text });
      await expect(gateway().send(message, contextFor(accountA))).rejects.toMatchObject({
        class: expected,
        providerCode: status,
      });
    });

    it('an unknown status is ambiguous, a numeric one is read', async () => {
      server.fallback = accepted({ status: '77' });
      await expect(gateway().send(message, contextFor(accountA))).rejects.toMatchObject({
        class: 'ambiguous',
        providerCode: '77',
      });
      server.fallback = accepted({ status: 6 });
      await expect(gateway().send(message, contextFor(accountA))).rejects.toMatchObject({
        class: 'recipient_permanent',
        providerCode: '6',
      });
    });

    it('getStatus reads the report of the id', async () => {
      server.fallback = json(200, {
        records: [
          { message_id: 'another', status: 'delivered' },
          { message_id: ID, status: 'failed', error_code: '6' },
        ],
      });
      await expect(gateway().getStatus!(ID, contextFor(accountA))).resolves.toEqual({
        externalId: ID,
        status: 'undelivered',
        rawWord: 'failed',
        error: expect.objectContaining({ code: 'content_filtered', providerCode: '6' }),
      });
      expect(server.requests[0]).toMatchObject({
        method: 'GET',
        target: `/v2/reports/records?account_id=aaaa1111&product=SMS&direction=outbound&id=${ID}`,
        headers: { authorization: `Basic ${Buffer.from('aaaa1111:secret-of-a-123').toString('base64')}` },
      });
      server.fallback = json(200, { records: [], ids_not_found: ID });
      await expect(gateway().getStatus!(ID, contextFor(accountA))).resolves.toBeNull();
      server.fallback = hang;
      await expect(gateway().getStatus!(ID, contextFor(accountA, { timeoutMs: 80 }))).rejects.toMatchObject({
        class: 'transient',
      });
    });

    it('asks for reports at the reports host when no base URL is set', async () => {
      const urls: string[] = [];
      const recording = {
        request: (request: { url: string }) => (urls.push(request.url), Promise.reject(new Error('recorded'))),
      };
      const real = vonage.create(gatewayDeps({ http: recording as never, baseUrl: vonage.baseUrl!.default }));
      await expect(real.getStatus!(ID, contextFor(accountA))).rejects.toThrow('recorded');
      expect(urls[0]).toMatch(/^https:\/\/api\.nexmo\.com\/v2\/reports\/records\?/);
    });

    it.each([
      ['a balance', json(200, { value: 3.14, autoReload: false }), { healthy: true }],
      ['an empty balance', json(200, { value: 0 }), { healthy: true }],
      ['refused credentials', json(401, { 'error-code': '401' }), { healthy: false, errorClass: 'config' }],
      ['an unavailable service', answer(503), { healthy: false, errorClass: 'transient' }],
      ['an answer that nobody can read', answer(200, '<html>'), { healthy: false, errorClass: 'transient' }],
    ])('healthCheck tells %s', async (_, script, expected) => {
      server.fallback = script;
      const report = await gateway().healthCheck(contextFor(accountA));
      expect(report).toMatchObject(expected);
      expect(JSON.stringify(report)).not.toContain('secret-of-a');
      expect(server.requests[0]!.target).toBe('/account/get-balance?api_key=aaaa1111&api_secret=secret-of-a-123');
    });
  });

  describe('receipts', () => {
    it.each(Object.keys(vonage.errors).filter((code) => code.startsWith('dlr_')))(
      'err-code of %s is in its class',
      (code) => {
        const [parsed] = vonage.callbacks.status!.parse(
          callbackRequest(receipt(accountA, 'failed', [['err-code', code.slice(4)]]), 'form'),
        );
        const row = vonage.errors[code]!;
        expect(parsed).toMatchObject({ error: { class: row.class, code: row.code, providerCode: code.slice(4) } });
      },
    );
  });

  describe('validate', () => {
    const issues = (over: Partial<OutboundMessage<'sms'>>) =>
      vonage
        .create(gatewayDeps({ http: new UndiciHttpClient(), baseUrl: '' }))
        .validate({ ...message, ...over }, accountA.settings)
        .map(({ field, code }) => [field, code]);
    it.each([
      ['an ordinary message', {}, []],
      ['an empty text', { content: { text: '' } }, [['message', 'required']]],
      ['3201 characters', { content: { text: 'x'.repeat(3201) } }, [['message', 'too_long']]],
      ['a short number', { to: '+4612' }, [['to', 'invalid_phone_number']]],
      ['a number as sender', { from: '+46700000000' }, []],
      ['a name', { from: 'MyShop1' }, []],
      ['a name with a space', { from: 'My Shop' }, [['from', 'invalid_sender']]],
      ['a long name', { from: 'TwelveLetter' }, [['from', 'invalid_sender']]],
    ])('%s', (_, over, expected) => expect(issues(over)).toEqual(expected));
  });
});
