import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks';
import { createHash } from 'node:crypto';
import { contextFor, providerContract, SAMPLE_NOW, secretsOf } from '../../../../test/contract/provider.contract';
import type { SampleAccount, SampleCallback } from '../../../../test/contract/provider.contract';
import { answer, hang, json, ScriptedServer } from '../../../../test/support/scripted-server';
import type { CallbackRequest } from '../../../gateway/contracts/callback';
import type { OutboundMessage } from '../../../gateway/contracts/gateway';
import { GatewayError, InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { ManualClock } from '../../../kernel/clock';
import { encodeForm, type FormField } from '../../../kernel/form';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { twilio } from './twilio.provider';
import { twilioSignature } from '../../../gateway/vendors/twilio/twilio.signature';
import { gatewayDeps } from '../../../../test/support/gateway-deps';

const SID = 'SM00112233445566778899aabbccddeeff';
const accountA: SampleAccount = {
  settings: { from_number: '+15005550006' },
  credentials: { account_sid: `AC${'a'.repeat(32)}`, auth_token: 'token-of-a-0123456789' },
};
const accountB: SampleAccount = {
  settings: { from_number: '+15005550009' },
  credentials: { account_sid: `AC${'b'.repeat(32)}`, auth_token: 'token-of-b-9876543210' },
};
const SERVICE = `MG${'c'.repeat(32)}`;

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

const resource = {
  sid: SID,
  account_sid: accountA.credentials.account_sid,
  body: 'x',
  to: message.to,
  from: '+15005550006',
  status: 'queued',
  direction: 'outbound-api',
  num_segments: '1',
  price: null,
  price_unit: null,
  error_code: null,
  date_created: new Date(SAMPLE_NOW).toUTCString().replace('GMT', '+0000'),
};

const basicA = Buffer.from(`${accountA.credentials.account_sid}:${accountA.credentials.auth_token}`).toString('base64');
const wire = (form: string): string =>
  `POST /2010-04-01/Accounts/${accountA.credentials.account_sid}/Messages.json HTTP/1.1
host: 127.0.0.1:{port}
connection: keep-alive
authorization: Basic ${basicA}
accept: application/json
content-type: application/x-www-form-urlencoded
content-length: ${Buffer.byteLength(form)}

${form}`;
const CALLBACK =
  'https%3A%2F%2Fum.example.com%2Fwebhook%2Fx%2Fstatus%2Fcfg_1%3Fmessage_id%3Dmsg_01kaqz9yq8e5v6m3c2n1b0a9s8%23rc%3D5%26rp%3Dall';
const BODY = 'Gr%C3%BC%C3%9Fe%20%26%2010%20%E2%82%AC%2B1';

const URL_STATUS = 'https://um.example.com/webhook/twilio/status/cfg_1?message_id=msg_1';

function callbackRequest(
  fields: FormField[],
  account: SampleAccount,
  url = URL_STATUS,
  method: 'GET' | 'POST' = 'POST',
): CallbackRequest {
  const body = fields.map(([name, value]) => encodeForm({ [name]: value })).join('&');
  const publicUrl = method === 'GET' ? `${url}&${body}` : url;
  return {
    method,
    publicUrl,
    query: new URL(publicUrl).searchParams,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': twilioSignature(account.credentials.auth_token!, publicUrl, method === 'GET' ? [] : fields),
    },
    rawBody: Buffer.from(method === 'GET' ? '' : body),
  };
}

const statusFields = (account: SampleAccount, word: string, more: FormField[] = []): FormField[] => [
  ['SmsSid', SID],
  ['SmsStatus', word],
  ['MessageStatus', word],
  ['To', message.to],
  ['MessageSid', SID],
  ['AccountSid', account.credentials.account_sid!],
  ['From', '+15005550006'],
  ['ApiVersion', '2010-04-01'],
  ...more,
];

const event = {
  eventId: `${SID}:delivered`,
  externalId: SID,
  messageId: 'msg_1',
  occurredAt: null,
  rawWord: 'delivered',
};

const callbacks: SampleCallback[] = [
  {
    name: 'delivered',
    kind: 'status',
    proofHeader: 'x-twilio-signature',
    request: (account) => callbackRequest(statusFields(account, 'delivered'), account),
    events: [{ kind: 'status', ...event, status: 'delivered' }],
    forged: {
      'a signature for another path': (request) => ({
        ...request,
        publicUrl: request.publicUrl.replace('cfg_1', 'cfg_2'),
      }),
      'a signature for another message': (request) => ({
        ...request,
        publicUrl: request.publicUrl.replace('msg_1', 'msg_2'),
      }),
      'a callback of another account under the same token': () =>
        callbackRequest(statusFields(accountB, 'delivered'), { ...accountA, settings: {} }),
    },
  },
  {
    name: 'undelivered with an error code, unknown, empty and repeated fields',
    kind: 'status',
    proofHeader: 'x-twilio-signature',
    request: (account) =>
      callbackRequest(
        statusFields(account, 'undelivered', [
          ['ErrorCode', '30005'],
          ['Zzz', 'b'],
          ['Zzz', 'a'],
          ['Zzz', 'b'],
          ['NewField', ''],
          ['Emoji', '😀 &=+'],
        ]),
        account,
      ),
    events: [
      {
        kind: 'status',
        ...event,
        eventId: `${SID}:undelivered`,
        rawWord: 'undelivered',
        status: 'undelivered',
        error: {
          class: 'recipient_permanent',
          code: 'invalid_recipient',
          providerCode: '30005',
          message: 'The destination handset is unknown',
        },
      },
    ],
  },
  {
    name: 'failed with a code that nobody knows',
    kind: 'status',
    request: (account) => callbackRequest(statusFields(account, 'failed', [['ErrorCode', '39999']]), account),
    events: [
      {
        kind: 'status',
        ...event,
        eventId: `${SID}:failed`,
        rawWord: 'failed',
        status: 'failed',
        error: { class: 'ambiguous', code: 'unknown_error', providerCode: '39999' },
      },
    ],
  },
  {
    name: 'a GET',
    kind: 'status',
    proofHeader: 'x-twilio-signature',
    request: (account) => callbackRequest(statusFields(account, 'sent'), account, URL_STATUS, 'GET'),
    events: [{ kind: 'status', ...event, eventId: `${SID}:sent`, rawWord: 'sent', status: 'sent' }],
  },
  {
    name: "the tenant's own callback URL, handed on",
    kind: 'status',
    account: { settings: { ...accountA.settings, status_callback_url: 'https://hooks.example.com/twilio#rc=2' } },
    request: (account) => ({
      ...callbackRequest(statusFields(account, 'delivered'), account, 'https://hooks.example.com/twilio'),
      publicUrl: URL_STATUS,
      query: new URLSearchParams('message_id=msg_1'),
    }),
    events: [{ kind: 'status', ...event, status: 'delivered' }],
  },
  {
    name: 'signed with the fragment of the URL that went out',
    kind: 'status',
    proofHeader: 'x-twilio-signature',
    request: (account) => ({
      ...callbackRequest(statusFields(account, 'delivered'), account, `${URL_STATUS}#rc=5&rp=all`),
      publicUrl: URL_STATUS,
    }),
    events: [{ kind: 'status', ...event, status: 'delivered' }],
    forged: {
      'a signature with another fragment': (request) => ({
        ...callbackRequest(statusFields(accountA, 'delivered'), accountA, `${URL_STATUS}#rc=4`),
        publicUrl: request.publicUrl,
      }),
    },
  },
  {
    name: "the tenant's own callback URL, signed with its fragment",
    kind: 'status',
    account: { settings: { ...accountA.settings, status_callback_url: 'https://hooks.example.com/twilio#rc=2' } },
    request: (account) => ({
      ...callbackRequest(statusFields(account, 'delivered'), account, 'https://hooks.example.com/twilio#rc=2'),
      publicUrl: URL_STATUS,
      query: new URLSearchParams('message_id=msg_1'),
    }),
    events: [{ kind: 'status', ...event, status: 'delivered' }],
  },
  {
    name: "the tenant's own callback URL, with letters that a URI has none of",
    kind: 'status',
    account: { settings: { ...accountA.settings, status_callback_url: 'https://hööks.example.com/twilio/ü?x=1 2' } },
    request: (account) => ({
      ...callbackRequest(
        statusFields(account, 'delivered'),
        account,
        'https://xn--hks-snaa.example.com/twilio/%C3%BC?x=1%202',
      ),
      publicUrl: URL_STATUS,
      query: new URLSearchParams('message_id=msg_1'),
    }),
    events: [{ kind: 'status', ...event, status: 'delivered' }],
  },
  {
    name: 'an inbound message with media',
    kind: 'inbound',
    proofHeader: 'x-twilio-signature',
    request: (account) =>
      callbackRequest(
        [
          ['ToCountry', 'US'],
          ['MessageSid', SID],
          ['SmsSid', SID],
          ['AccountSid', account.credentials.account_sid!],
          ['From', message.to],
          ['To', '+15005550006'],
          ['Body', 'Hi\0 there, 10 €'],
          ['NumMedia', '1'],
          ['NumSegments', '1'],
          ['MediaContentType0', 'image/jpeg'],
          ['MediaUrl0', 'https://api.twilio.com/media/1'],
          ['OptOutType', 'STOP'],
        ],
        account,
        'https://um.example.com/webhook/twilio/inbound/cfg_1',
      ),
    events: [
      {
        kind: 'inbound',
        eventId: SID,
        externalId: SID,
        occurredAt: null,
        rawWord: 'received',
        from: message.to,
        to: '+15005550006',
        text: 'Hi there, 10 €',
        detail: {
          media: [{ url: 'https://api.twilio.com/media/1', content_type: 'image/jpeg' }],
          opt_out_type: 'STOP',
          segments: 1,
        },
      },
    ],
  },
];

describe('Twilio', () => {
  providerContract({
    definition: twilio,
    accounts: [accountA, accountB],
    message,
    accepted: json(201, resource),
    credentialsOnWire: (request) => request.headers.authorization!.replace('Basic ', ''),
    sends: [
      {
        name: "the config's number",
        wire: wire(
          `To=%2B393331234567&From=%2B15005550006&Body=${BODY}&StatusCallback=${CALLBACK}&ValidityPeriod=3600`,
        ),
        answer: json(201, resource),
        result: { externalId: SID, segments: 1 },
      },
      {
        name: "the request's sender, and more time than Twilio keeps a message",
        message: { from: 'UniMsg', expiresAt: SAMPLE_NOW + 24 * 3600 * 1000 },
        wire: wire(`To=%2B393331234567&From=UniMsg&Body=${BODY}&StatusCallback=${CALLBACK}`),
        answer: json(201, { ...resource, num_segments: '2', price: '-0.01500', price_unit: 'usd' }),
        result: { externalId: SID, segments: 2, cost: { amount: '0.01500', currency: 'USD' } },
      },
      {
        name: 'a Messaging Service, and hardly any time left',
        message: { expiresAt: SAMPLE_NOW + 10 },
        account: { credentials: { messaging_service_sid: SERVICE } },
        wire: wire(
          `To=%2B393331234567&MessagingServiceSid=${SERVICE}&Body=${BODY}&StatusCallback=${CALLBACK}&ValidityPeriod=1`,
        ),
        answer: json(201, { ...resource, status: 'accepted', num_segments: '0', from: null }),
        result: { externalId: SID },
      },
      {
        name: 'a Messaging Service with a chosen sender',
        message: { from: '+15005550001' },
        account: { credentials: { messaging_service_sid: SERVICE } },
        wire: wire(
          `To=%2B393331234567&From=%2B15005550001&MessagingServiceSid=${SERVICE}&Body=${BODY}&StatusCallback=${CALLBACK}&ValidityPeriod=3600`,
        ),
        answer: json(201, resource),
        result: { externalId: SID, segments: 1 },
      },
      {
        name: "the tenant's own callback URL, and a message that failed at once",
        account: { settings: { ...accountA.settings, status_callback_url: 'https://hooks.example.com/t' } },
        wire: wire(
          `To=%2B393331234567&From=%2B15005550006&Body=${BODY}&StatusCallback=https%3A%2F%2Fhooks.example.com%2Ft%23rc%3D5%26rp%3Dall&ValidityPeriod=3600`,
        ),
        answer: json(201, { ...resource, status: 'failed' }),
        result: { externalId: SID, segments: 1, status: 'failed' },
      },
      {
        name: "the tenant's own callback URL, with letters that a URI has none of",
        account: {
          settings: { ...accountA.settings, status_callback_url: 'https://hööks.example.com/twilio/ü?x=1 2#rc=2' },
        },
        wire: wire(
          `To=%2B393331234567&From=%2B15005550006&Body=${BODY}&StatusCallback=${encodeURIComponent('https://xn--hks-snaa.example.com/twilio/%C3%BC?x=1%202#rc=2')}&ValidityPeriod=3600`,
        ),
        answer: json(201, resource),
        result: { externalId: SID, segments: 1 },
      },
    ],
    codes: {
      config: (
        '20003 20005 20006 20008 20010 20403 10001 21470 21471 21472 30002 20404 21608 21408 21212 21603 21606 21607 21616 21657 21659 21660 ' +
        '21661 21701 21702 21703 21704 21705 21708 21709 21711 21712 21601 21407 30018 30024 30032 30033 30034 30035 30041 30042 11200 11205'
      ).split(' '),
      content_permanent:
        '20001 20422 21609 21626 21624 21602 21617 21618 21620 21623 21654 21655 21656 21658 30007 30450 30009 30010 30019'.split(
          ' ',
        ),
      recipient_permanent: '21211 21217 21401 21614 21604 21610 30003 30004 30005 30006'.split(' '),
      throttled: '20429 14107 21611 30001 30022 30023 30027 63038'.split(' '),
      transient: '20503 21612 30017 30036'.split(' '),
      ambiguous: '20409 20500 21619 21730 30008 30410'.split(' '),
    },
    refusal: (code) =>
      json(400, {
        code: Number(code),
        message: 'Twilio says no',
        more_info: `https://www.twilio.com/docs/errors/${code}`,
        status: 400,
      }),
    statuses: {
      accepted: 'queued',
      scheduled: 'queued',
      queued: 'queued',
      sending: 'queued',
      sent: 'sent',
      partially_delivered: 'sent',
      delivered: 'delivered',
      undelivered: 'undelivered',
      failed: 'failed',
      canceled: 'failed',
      read: 'read',
      receiving: null,
      received: null,
    },
    callbacks,
    statusCallback: (word) => callbackRequest(statusFields(accountA, word), accountA),
  });

  describe('signature', () => {
    const url = 'https://mycompany.com/myapp.php?foo=1&bar=2';
    const fields: FormField[] = [
      ['CallSid', 'CA1234567890ABCDE'],
      ['Caller', '+14158675309'],
      ['Digits', '1234'],
      ['From', '+14158675309'],
      ['To', '+18005551212'],
    ];
    const request = (over: Partial<CallbackRequest>, signature: string): CallbackRequest => ({
      method: 'POST',
      publicUrl: url,
      query: new URL(over.publicUrl ?? url).searchParams,
      headers: { 'x-twilio-signature': signature },
      rawBody: Buffer.from(fields.map(([name, value]) => encodeForm({ [name]: value })).join('&')),
      ...over,
    });
    const secrets = secretsOf({ settings: {}, credentials: { account_sid: 'AC1', auth_token: '12345' } });
    const { verify } = twilio.callbacks.status!;

    it('agrees with the published example', () => {
      expect(twilioSignature('12345', url, fields)).toBe('RSOYDt4T1cUTdK1PDd93/VVr8B8=');
      verify(request({}, 'RSOYDt4T1cUTdK1PDd93/VVr8B8='), secrets, SAMPLE_NOW);
    });

    it("agrees with Twilio's own package, repeated fields too", () => {
      const many: FormField[] = [...fields, ['Tag', 'b'], ['Tag', 'a'], ['Tag', 'b'], ['Empty', ''], ['ä', 'ö€😀']];
      const params = { ...Object.fromEntries(many), Tag: ['b', 'a', 'b'] };
      expect(twilioSignature('12345', url, many)).toBe(getExpectedTwilioSignature('12345', url, params));
    });

    it.each([
      ['with the standard port', 'https://mycompany.com/hook', 'https://mycompany.com:443/hook'],
      ['without the standard port', 'https://mycompany.com:443/hook', 'https://mycompany.com/hook'],
    ])('verifies a URL signed %s', (_, seen, signed) => {
      const signedRequest = request({ publicUrl: seen }, twilioSignature('12345', signed, fields));
      expect(() => verify(signedRequest, secrets, SAMPLE_NOW)).not.toThrow();
    });

    it('verifies a JSON body by its hash in the URL, and refuses another body', () => {
      const body = '{"property": "value", "boolean": true}';
      const hashed = `${url}&bodySHA256=${createHash('sha256').update(body).digest('hex')}`;
      const signed = request({ publicUrl: hashed, rawBody: Buffer.from(body) }, twilioSignature('12345', hashed, []));
      expect(signed.headers['x-twilio-signature']).toBe('a9nBmqA0ju/hNViExpshrM61xv4=');
      verify(signed, secrets, SAMPLE_NOW);
      expect(() => verify({ ...signed, rawBody: Buffer.from(`${body} `) }, secrets, SAMPLE_NOW)).toThrow(
        InvalidSignature,
      );
    });
  });

  describe('look-ups', () => {
    let server: ScriptedServer;
    let http: UndiciHttpClient;
    const gateway = () =>
      twilio.create(gatewayDeps({ http, baseUrl: server.origin, clock: new ManualClock(SAMPLE_NOW) }));
    beforeEach(async () => {
      server = await ScriptedServer.start();
      http = new UndiciHttpClient();
    });
    afterEach(async () => {
      await http.close();
      await server.close();
    });

    it('getStatus reads status, price, segments and error', async () => {
      server.fallback = json(200, {
        ...resource,
        status: 'undelivered',
        error_code: 30003,
        price: '-0.00750',
        price_unit: 'USD',
        num_segments: '1',
      });
      await expect(gateway().getStatus!(SID, contextFor(accountA))).resolves.toEqual({
        externalId: SID,
        status: 'undelivered',
        rawWord: 'undelivered',
        error: expect.objectContaining({ code: 'recipient_unreachable', providerCode: '30003' }),
        cost: { amount: '0.00750', currency: 'USD' },
        segments: 1,
      });
      expect(server.requests[0]).toMatchObject({
        method: 'GET',
        target: `/2010-04-01/Accounts/${accountA.credentials.account_sid}/Messages/${SID}.json`,
        body: '',
      });
    });

    it('getStatus knows nothing of an unknown id, and a read that gets no answer is never ambiguous', async () => {
      server.fallback = json(404, { code: 20404, message: 'not found', status: 404 });
      await expect(gateway().getStatus!(SID, contextFor(accountA))).resolves.toBeNull();
      server.fallback = hang;
      await expect(gateway().getStatus!(SID, contextFor(accountA, { timeoutMs: 80 }))).rejects.toMatchObject({
        class: 'transient',
      });
      server.fallback = answer(200, 'garbage');
      await expect(gateway().getStatus!(SID, contextFor(accountA))).rejects.toBeInstanceOf(GatewayError);
    });

    it('findSent finds the message by recipient, text and time', async () => {
      const at = (ms: number): string => new Date(SAMPLE_NOW + ms).toUTCString().replace('GMT', '+0000');
      const mine = { ...resource, body: message.content.text, date_created: at(1000) };
      const list = [
        { ...mine, sid: 'SMother', body: 'another text' },
        { ...mine, sid: 'SMinbound', direction: 'inbound' },
        { ...mine, sid: 'SMold', date_created: at(-60_000) },
        { ...mine, sid: 'SMtime', date_created: null },
        null,
        mine,
      ];
      server.fallback = json(200, { messages: list });
      await expect(gateway().findSent!(message, SAMPLE_NOW, contextFor(accountA))).resolves.toMatchObject([
        { externalId: SID, status: 'queued' },
      ]);
      expect(server.requests[0]!.target).toBe(
        `/2010-04-01/Accounts/${accountA.credentials.account_sid}/Messages.json?To=%2B393331234567&From=%2B15005550006&DateSent%3E=2026-11-22T07%3A59%3A55Z&PageSize=50`,
      );
      server.fallback = json(200, { messages: list.slice(0, 5) });
      await expect(gateway().findSent!(message, SAMPLE_NOW, contextFor(accountA))).resolves.toEqual([]);
    });

    it.each([
      ['an active account', json(200, { status: 'active' }), { healthy: true }],
      ['a suspended account', json(200, { status: 'suspended' }), { healthy: false, errorClass: 'config' }],
      [
        'refused credentials',
        json(401, { code: 20003, message: 'Authenticate' }),
        { healthy: false, errorClass: 'config' },
      ],
      ['an unavailable service', answer(503), { healthy: false, errorClass: 'transient' }],
      ['an answer that nobody can read', answer(200, '<html>'), { healthy: false, errorClass: 'transient' }],
    ])('healthCheck tells %s', async (_, script, expected) => {
      server.fallback = script;
      await expect(gateway().healthCheck(contextFor(accountA))).resolves.toMatchObject(expected);
      expect(server.requests[0]).toMatchObject({
        method: 'GET',
        target: `/2010-04-01/Accounts/${accountA.credentials.account_sid}.json`,
      });
    });
  });

  describe('validate', () => {
    const issues = (over: Partial<OutboundMessage<'sms'>>) =>
      twilio
        .create(gatewayDeps({ http: new UndiciHttpClient(), baseUrl: '' }))
        .validate({ ...message, ...over }, accountA.settings)
        .map(({ field, code }) => [field, code]);
    it.each([
      ['an ordinary message', {}, []],
      ['an empty text', { content: { text: '' } }, [['message', 'required']]],
      ['1600 characters', { content: { text: 'x'.repeat(1600) } }, []],
      ['1600 characters outside the BMP', { content: { text: '🙂'.repeat(1600) } }, []],
      ['1601 characters', { content: { text: 'x'.repeat(1601) } }, [['message', 'too_long']]],
      ['a number as sender', { from: '+46700000000' }, []],
      ['a short code', { from: '12345' }, []],
      ['a name', { from: 'My Shop 1' }, []],
      ['a long name', { from: 'TwelveLetter' }, [['from', 'invalid_sender']]],
      ['a name with an umlaut', { from: 'Müller' }, [['from', 'invalid_sender']]],
      ['a number without +', { from: '46700000000' }, [['from', 'invalid_sender']]],
    ])('%s', (_, over, expected) => expect(issues(over)).toEqual(expected));
  });
});
