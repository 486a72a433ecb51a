import { contextFor, providerContract, SAMPLE_NOW } from '../../../../test/contract/provider.contract';
import type { SampleAccount, SampleCallback } from '../../../../test/contract/provider.contract';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import { json, ScriptedServer } from '../../../../test/support/scripted-server';
import type { CallbackRequest } from '../../../gateway/contracts/callback';
import type { OutboundMessage } from '../../../gateway/contracts/gateway';
import { twilioSignature } from '../../../gateway/vendors/twilio/twilio.signature';
import { ManualClock } from '../../../kernel/clock';
import { encodeForm, type FormField } from '../../../kernel/form';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { twilioWhatsapp } from './twilio-whatsapp.provider';

const SID = 'SM00112233445566778899aabbccddeeff';
const CONTENT = `HX${'d'.repeat(32)}`;
const SERVICE = `MG${'c'.repeat(32)}`;
const accountA: SampleAccount = {
  settings: { from_number: '+15005550006' },
  credentials: { account_sid: `AC${'a'.repeat(32)}`, auth_token: 'token-of-a-0123456789' },
};
const accountB: SampleAccount = {
  settings: { from_number: '+15005550009' },
  credentials: { account_sid: `AC${'b'.repeat(32)}`, auth_token: 'token-of-b-9876543210' },
};

const message: OutboundMessage<'whatsapp'> = {
  id: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  clientId: 'demo_0123456789abcdef',
  channel: 'whatsapp',
  to: '+393331234567',
  from: null,
  priority: 'normal',
  content: { text: 'Grüße & 10 €' },
  expiresAt: SAMPLE_NOW + 3600 * 1000,
};

const resource = {
  sid: SID,
  account_sid: accountA.credentials.account_sid,
  body: 'x',
  to: `whatsapp:${message.to}`,
  from: 'whatsapp:+15005550006',
  status: 'queued',
  direction: 'outbound-api',
  num_segments: '1',
  num_media: '0',
  price: null,
  price_unit: null,
  error_code: null,
  date_created: new Date(SAMPLE_NOW).toUTCString().replace('GMT', '+0000'),
};
const accepted = json(201, resource);

const TO = 'To=whatsapp%3A%2B393331234567';
const FROM = 'From=whatsapp%3A%2B15005550006';
const REST =
  'StatusCallback=https%3A%2F%2Fum.example.com%2Fwebhook%2Fx%2Fstatus%2Fcfg_1%3Fmessage_id%3Dmsg_01kaqz9yq8e5v6m3c2n1b0a9s8%23rc%3D5%26rp%3Dall&ValidityPeriod=3600';
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

const STATUS_URL = 'https://um.example.com/webhook/twilio-whatsapp/status/cfg_1?message_id=msg_1';
const INBOUND_URL = 'https://um.example.com/webhook/twilio-whatsapp/inbound/cfg_1';

function callbackRequest(fields: FormField[], account: SampleAccount, url: string): CallbackRequest {
  return {
    method: 'POST',
    publicUrl: url,
    query: new URL(url).searchParams,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': twilioSignature(account.credentials.auth_token!, url, fields),
    },
    rawBody: Buffer.from(fields.map(([name, value]) => encodeForm({ [name]: value })).join('&')),
  };
}

const statusFields = (account: SampleAccount, word: string, more: FormField[] = []): FormField[] => [
  ['SmsSid', SID],
  ['SmsStatus', word],
  ['MessageStatus', word],
  ['ChannelPrefix', 'whatsapp'],
  ['ChannelToAddress', '+393331234567'],
  ['To', `whatsapp:${message.to}`],
  ['MessageSid', SID],
  ['AccountSid', account.credentials.account_sid!],
  ['From', 'whatsapp:+15005550006'],
  ['ApiVersion', '2010-04-01'],
  ...more,
];
const inboundFields = (account: SampleAccount, more: FormField[]): FormField[] => [
  ['MessageSid', SID],
  ['SmsSid', SID],
  ['AccountSid', account.credentials.account_sid!],
  ['From', `whatsapp:${message.to}`],
  ['To', 'whatsapp:+15005550006'],
  ['NumMedia', '0'],
  ['NumSegments', '1'],
  ['ProfileName', 'Ann'],
  ['WaId', '393331234567'],
  ...more,
];

const event = { externalId: SID, messageId: 'msg_1', occurredAt: null };
const inboundEvent = {
  kind: 'inbound' as const,
  eventId: SID,
  externalId: SID,
  occurredAt: null,
  rawWord: 'received',
  from: message.to,
  to: '+15005550006',
};
const proofHeader = 'x-twilio-signature';

const callbacks: SampleCallback[] = [
  {
    name: 'read',
    kind: 'status',
    proofHeader,
    request: (account) => callbackRequest(statusFields(account, 'read', [['EventType', 'READ']]), account, STATUS_URL),
    events: [{ kind: 'status', ...event, eventId: `${SID}:read`, rawWord: 'read', status: 'read' }],
    forged: {
      'a signature for another message': (request) => ({
        ...request,
        publicUrl: request.publicUrl.replace('msg_1', 'msg_2'),
      }),
    },
  },
  {
    name: 'undelivered outside the window',
    kind: 'status',
    proofHeader,
    request: (account) =>
      callbackRequest(statusFields(account, 'undelivered', [['ErrorCode', '63016']]), account, STATUS_URL),
    events: [
      {
        kind: 'status',
        ...event,
        eventId: `${SID}:undelivered`,
        rawWord: 'undelivered',
        status: 'undelivered',
        error: {
          class: 'content_permanent',
          code: 'window_closed',
          providerCode: '63016',
          message: 'The recipient has not written for 24 hours: only a template can be sent',
        },
      },
    ],
  },
  {
    name: 'an inbound button with an image, as an answer',
    kind: 'inbound',
    proofHeader,
    request: (account) =>
      callbackRequest(
        inboundFields(account, [
          ['Body', 'Yes, please'],
          ['ButtonText', 'Yes, please'],
          ['ButtonPayload', 'YES'],
          ['OriginalRepliedMessageSid', 'SM1'],
          ['MediaContentType0', 'image/jpeg'],
          ['MediaUrl0', 'https://api.twilio.com/media/1'],
          ['Forwarded', 'true'],
        ]),
        account,
        INBOUND_URL,
      ),
    events: [
      {
        ...inboundEvent,
        text: 'Yes, please',
        detail: {
          media: [{ url: 'https://api.twilio.com/media/1', content_type: 'image/jpeg' }],
          segments: 1,
          profile_name: 'Ann',
          wa_id: '393331234567',
          button: { text: 'Yes, please', payload: 'YES' },
          context: { message_id: 'SM1' },
          forwarded: true,
        },
      },
    ],
  },
  {
    name: 'an inbound place',
    kind: 'inbound',
    proofHeader,
    request: (account) =>
      callbackRequest(
        inboundFields(account, [
          ['Latitude', '37.4847'],
          ['Longitude', '-122.1486'],
          ['Label', 'Meta HQ'],
          ['Address', '1 Hacker Way'],
        ]),
        account,
        INBOUND_URL,
      ),
    events: [
      {
        ...inboundEvent,
        text: '',
        detail: {
          segments: 1,
          profile_name: 'Ann',
          wa_id: '393331234567',
          location: { latitude: 37.4847, longitude: -122.1486, name: 'Meta HQ', address: '1 Hacker Way' },
        },
      },
    ],
  },
];

describe('Twilio WhatsApp', () => {
  providerContract({
    definition: twilioWhatsapp,
    accounts: [accountA, accountB],
    message,
    accepted,
    credentialsOnWire: (request) => request.headers.authorization!.replace('Basic ', ''),
    sends: [
      {
        name: 'a text',
        wire: wire(`${TO}&${FROM}&Body=Gr%C3%BC%C3%9Fe%20%26%2010%20%E2%82%AC&${REST}`),
        answer: accepted,
        result: { externalId: SID, segments: 1 },
      },
      {
        name: 'a template with variables',
        message: { content: { template: { name: CONTENT, language: 'en', parameters: ['Ann', '81 "21"'] } } },
        wire: wire(
          `${TO}&${FROM}&ContentSid=${CONTENT}&ContentVariables=%7B%221%22%3A%22Ann%22%2C%222%22%3A%2281%20%5C%2221%5C%22%22%7D&${REST}`,
        ),
        answer: accepted,
        result: { externalId: SID, segments: 1 },
      },
      {
        name: 'a template without variables, by a Messaging Service',
        message: { content: { template: { name: CONTENT, parameters: [] } } },
        account: { credentials: { messaging_service_sid: SERVICE } },
        wire: wire(`${TO}&MessagingServiceSid=${SERVICE}&ContentSid=${CONTENT}&${REST}`),
        answer: json(201, { ...resource, status: 'accepted', num_segments: '0', from: null }),
        result: { externalId: SID },
      },
      {
        name: 'a file with a caption, from another number',
        message: {
          from: '+15005550001',
          content: { media: { url: 'https://cdn.example.com/a.pdf', caption: 'Invoice' } },
        },
        wire: wire(
          `${TO}&From=whatsapp%3A%2B15005550001&Body=Invoice&MediaUrl=https%3A%2F%2Fcdn.example.com%2Fa.pdf&${REST}`,
        ),
        answer: accepted,
        result: { externalId: SID, segments: 1 },
      },
      {
        name: 'a file alone',
        message: { content: { media: { url: 'https://cdn.example.com/a.pdf' } } },
        wire: wire(`${TO}&${FROM}&MediaUrl=https%3A%2F%2Fcdn.example.com%2Fa.pdf&${REST}`),
        answer: accepted,
        result: { externalId: SID, segments: 1 },
      },
      {
        name: 'a file whose address is no URI yet',
        message: { content: { media: { url: 'https://bücher.example/fäil.pdf?s=a|b' } } },
        wire: wire(
          `${TO}&${FROM}&MediaUrl=${encodeURIComponent('https://xn--bcher-kva.example/f%C3%A4il.pdf?s=a%7Cb')}&${REST}`,
        ),
        answer: accepted,
        result: { externalId: SID, segments: 1 },
      },
    ],
    codes: {
      config: (
        '20003 20005 20006 20008 20010 20403 10001 21470 21471 21472 30002 20404 21608 21408 21212 21603 21606 21607 21616 21657 21659 21660 ' +
        '21661 21701 21702 21703 21704 21705 21708 21709 21711 21712 21601 21407 30018 30024 30032 30033 30034 30035 30041 30042 11200 11205 ' +
        '63001 63007 63020 63022'
      ).split(' '),
      content_permanent: (
        '20001 20422 21609 21626 21624 21602 21617 21618 21620 21623 21654 21655 21656 21658 30007 30450 30009 30010 30019 ' +
        '11751 63005 63013 63016 63019 63021 63025 63027 63028 63029 63030'
      ).split(' '),
      recipient_permanent: '21211 21217 21401 21614 21604 21610 30003 30004 30005 30006 63003 63024 63032 63033'.split(
        ' ',
      ),
      throttled: '20429 14107 21611 30001 30022 30023 30027 63018 63038 63049'.split(' '),
      transient: '20503 21612 30017 30036 63010 63012 63023'.split(' '),
      ambiguous: '20409 20500 21619 21730 30008 30410'.split(' '),
    },
    refusal: (code) => json(400, { code: Number(code), message: 'Twilio says no', more_info: 'x', status: 400 }),
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
    statusCallback: (word) => callbackRequest(statusFields(accountA, word), accountA, STATUS_URL),
  });

  describe('look-ups', () => {
    let server: ScriptedServer;
    let http: UndiciHttpClient;
    const gateway = () =>
      twilioWhatsapp.create(gatewayDeps({ http, baseUrl: server.origin, clock: new ManualClock(SAMPLE_NOW) }));
    beforeEach(async () => {
      server = await ScriptedServer.start();
      http = new UndiciHttpClient();
    });
    afterEach(async () => {
      await http.close();
      await server.close();
    });

    it('getStatus reads status and error', async () => {
      server.fallback = json(200, { ...resource, status: 'undelivered', error_code: 63016 });
      await expect(gateway().getStatus!(SID, contextFor(accountA))).resolves.toMatchObject({
        status: 'undelivered',
        error: { code: 'window_closed', providerCode: '63016' },
      });
    });

    it('findSent looks for the address with its prefix, by the text or, for a template, by the time alone', async () => {
      const list = [
        { ...resource, body: 'Grüße & 10 €' },
        { ...resource, sid: 'SMother', body: 'another' },
        { ...resource, sid: 'SMsms', to: message.to },
      ];
      server.fallback = json(200, { messages: list });
      const ids = async (over: Partial<OutboundMessage<'whatsapp'>> = {}): Promise<string[]> =>
        (await gateway().findSent!({ ...message, ...over }, SAMPLE_NOW, contextFor(accountA))).map(
          ({ externalId }) => externalId,
        );
      await expect(ids()).resolves.toEqual([SID]);
      await expect(ids({ content: { template: { name: CONTENT, parameters: [] } } })).resolves.toEqual([
        SID,
        'SMother',
      ]);
      expect(server.requests[0]!.target).toContain(`/Messages.json?${TO}&${FROM}&DateSent%3E=2026-11-22T07%3A59%3A55Z`);
    });

    it('healthCheck asks for the account', async () => {
      server.fallback = json(200, { status: 'active' });
      await expect(gateway().healthCheck(contextFor(accountA))).resolves.toEqual({ healthy: true });
    });
  });

  describe('validate', () => {
    const issues = (over: Partial<OutboundMessage<'whatsapp'>>) =>
      twilioWhatsapp
        .create(gatewayDeps({ http: new UndiciHttpClient(), baseUrl: '' }))
        .validate({ ...message, ...over }, accountA.settings)
        .map(({ field, code }) => [field, code]);
    const media = { url: 'https://a.example/a.jpg' };

    it.each<[string, Partial<OutboundMessage<'whatsapp'>>, string[][]]>([
      ['an ordinary message', {}, []],
      ['an empty text', { content: { text: '' } }, [['message', 'required']]],
      ['1601 characters', { content: { text: 'x'.repeat(1601) } }, [['message', 'too_long']]],
      [
        'a long caption',
        { content: { media: { ...media, caption: 'x'.repeat(1601) } } },
        [['media.caption', 'too_long']],
      ],
      ['a Content SID', { content: { template: { name: CONTENT, parameters: ['x'] } } }, []],
      [
        "a template's name",
        { content: { template: { name: 'order_shipped', language: 'en', parameters: [] } } },
        [['template.name', 'invalid_template']],
      ],
      [
        'media of a template',
        { content: { template: { name: CONTENT, parameters: [], media_url: media.url } } },
        [['template.media_url', 'not_supported']],
      ],
      ['a short code as sender', { from: '12345' }, [['from', 'invalid_sender']]],
    ])('%s', (_, over, expected) => expect(issues(over)).toEqual(expected));
  });
});
