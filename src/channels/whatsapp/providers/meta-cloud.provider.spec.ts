import { createHmac } from 'node:crypto';
import { contextFor, providerContract, SAMPLE_NOW, secretsOf } from '../../../../test/contract/provider.contract';
import type { SampleAccount, SampleCallback } from '../../../../test/contract/provider.contract';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import { answer, json, ScriptedServer, type Script } from '../../../../test/support/scripted-server';
import type { CallbackRequest, NormalizedEvent } from '../../../gateway/contracts/callback';
import type { OutboundMessage, WhatsAppContent } from '../../../gateway/contracts/gateway';
import { InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { ManualClock } from '../../../kernel/clock';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { metaCloud } from './meta-cloud.provider';
import { metaSignature } from './meta-cloud.signature';

const WAMID = 'wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBJCOTY3NDc0NDFDRUI3NTA0Q0UA';
const INBOUND = 'wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=';
const OURS = 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8';
const AT = '1749416383';

const accountA: SampleAccount = {
  settings: { display_phone_number: '+1 555 078 3881', business_name: 'Acme', default_language_code: 'en_US' },
  credentials: {
    access_token: 'token-of-a-0123456789',
    phone_number_id: '106540352242922',
    business_account_id: '419561257915477',
    webhook_verify_token: 'verify-of-a-0123456789',
    app_secret: 'app-secret-of-a-0123456789',
  },
};
const accountB: SampleAccount = {
  settings: { display_phone_number: '+1 555 078 3882' },
  credentials: {
    access_token: 'token-of-b-9876543210',
    phone_number_id: '206540352242922',
    business_account_id: '519561257915477',
    webhook_verify_token: 'verify-of-b-9876543210',
    app_secret: 'app-secret-of-b-9876543210',
  },
};

const message: OutboundMessage<'whatsapp'> = {
  id: OURS,
  clientId: 'demo_0123456789abcdef',
  channel: 'whatsapp',
  to: '+393331234567',
  from: null,
  priority: 'normal',
  content: { text: 'Grüße & 10 €' },
  expiresAt: SAMPLE_NOW + 3600 * 1000,
};

const accepted = json(200, {
  messaging_product: 'whatsapp',
  contacts: [{ input: message.to, wa_id: '393331234567' }],
  messages: [{ id: WAMID, message_status: 'accepted' }],
});

/** The bytes of a send: what is said, between what every message has. */
const wire = (content: string, path = '/v23.0/106540352242922/messages'): string => {
  const body = `{"messaging_product":"whatsapp","recipient_type":"individual","to":"+393331234567",${content},"biz_opaque_callback_data":"${OURS}"}`;
  return `POST ${path} HTTP/1.1
host: 127.0.0.1:{port}
connection: keep-alive
authorization: Bearer token-of-a-0123456789
accept: application/json
content-type: application/json
content-length: ${Buffer.byteLength(body)}

${body}`;
};

const sendOf = (name: string, content: WhatsAppContent, said: string) => ({
  name,
  message: { content },
  wire: wire(said),
  answer: accepted,
  result: { externalId: WAMID },
});

const graphError = (code: number, more: object = {}): Script =>
  json(400, {
    error: {
      message: `(#${code}) Meta says no`,
      type: 'OAuthException',
      code,
      error_data: { messaging_product: 'whatsapp', details: 'why' },
      fbtrace_id: 'AXsgnV2Cm3ZMGF3dF_cfYIn',
      ...more,
    },
  });

function webhook(account: SampleAccount, ...changes: object[]): CallbackRequest {
  return signed(account, { object: 'whatsapp_business_account', entry: [entryOf(account, ...changes)] });
}

const entryOf = (account: SampleAccount, ...changes: object[]): object => ({
  id: account.credentials.business_account_id,
  changes,
});

function signed(account: SampleAccount, payload: object): CallbackRequest {
  const body = JSON.stringify(payload);
  return {
    method: 'POST',
    publicUrl: 'https://um.example.com/webhook/whatsapp/events/cfg_1',
    query: new URLSearchParams(),
    headers: {
      'content-type': 'application/json',
      'x-hub-signature-256': metaSignature(account.credentials.app_secret!, body),
    },
    rawBody: Buffer.from(body),
  };
}

const metadata = (account: SampleAccount): object => ({
  display_phone_number: '15550783881',
  phone_number_id: account.credentials.phone_number_id,
});
const messagesChange = (account: SampleAccount, value: object): object => ({
  value: { messaging_product: 'whatsapp', metadata: metadata(account), ...value },
  field: 'messages',
});
const statusChange = (account: SampleAccount, word: string, more: object = {}): object =>
  messagesChange(account, {
    statuses: [
      {
        id: WAMID,
        status: word,
        timestamp: AT,
        recipient_id: '393331234567',
        biz_opaque_callback_data: OURS,
        ...more,
      },
    ],
  });
const inbound = (account: SampleAccount, said: object): CallbackRequest =>
  webhook(
    account,
    messagesChange(account, {
      contacts: [{ profile: { name: 'Sheena Nelson' }, wa_id: '16505551234' }],
      messages: [{ from: '16505551234', id: INBOUND, timestamp: AT, ...said }],
    }),
  );

const at = Number(AT) * 1000;
const statusEvent = (word: string): NormalizedEvent & { kind: 'status' } => ({
  kind: 'status',
  eventId: `${WAMID}:${word}`,
  externalId: WAMID,
  messageId: OURS,
  occurredAt: at,
  rawWord: word,
  status: word as 'read',
});
const inboundEvent = (type: string, text: string, detail: object = {}): NormalizedEvent => ({
  kind: 'inbound',
  eventId: INBOUND,
  externalId: INBOUND,
  occurredAt: at,
  rawWord: type,
  from: '+16505551234',
  to: '+15550783881',
  text,
  detail: { type, profile_name: 'Sheena Nelson', ...detail },
});
const CONTEXT = { from: '15550783881', id: WAMID };
const inboundSample = (name: string, said: object, event: NormalizedEvent): SampleCallback => ({
  name,
  kind: 'inbound',
  proofHeader: 'x-hub-signature-256',
  request: (account) => inbound(account, said),
  events: [event],
});

const callbacks: SampleCallback[] = [
  {
    name: 'read',
    kind: 'status',
    proofHeader: 'x-hub-signature-256',
    request: (account) =>
      webhook(
        account,
        statusChange(account, 'read', {
          conversation: { id: 'c', origin: { type: 'utility' } },
          pricing: { billable: true, pricing_model: 'PMP', category: 'utility' },
        }),
      ),
    events: [statusEvent('read')],
    forged: {
      'a signature by the access token': (request) => ({
        ...request,
        headers: {
          ...request.headers,
          'x-hub-signature-256': metaSignature(accountA.credentials.access_token!, request.rawBody),
        },
      }),
      'a signature of the older kind': (request) => ({
        ...request,
        headers: {
          'x-hub-signature': `sha1=${createHmac('sha1', accountA.credentials.app_secret!).update(request.rawBody).digest('hex')}`,
        },
      }),
      'a signature without its scheme': (request) => ({
        ...request,
        headers: { 'x-hub-signature-256': request.headers['x-hub-signature-256']!.slice('sha256='.length) },
      }),
      'the same as a GET': (request) => ({ ...request, method: 'GET' }),
    },
  },
  {
    name: 'a failure outside the window, without our id',
    kind: 'status',
    proofHeader: 'x-hub-signature-256',
    request: (account) =>
      webhook(
        account,
        statusChange(account, 'failed', {
          biz_opaque_callback_data: undefined,
          errors: [
            {
              code: 131047,
              title: 'Re-engagement message',
              message: 'Re-engagement message',
              error_data: { details: 'Message failed to send because more than 24 hours have passed.' },
              href: 'https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes/',
            },
          ],
        }),
      ),
    events: [
      {
        kind: 'status',
        eventId: `${WAMID}:failed`,
        externalId: WAMID,
        occurredAt: at,
        rawWord: 'failed',
        status: 'failed',
        error: {
          class: 'content_permanent',
          code: 'window_closed',
          providerCode: '131047',
          message: 'The recipient has not written for 24 hours: only a template can be sent',
        },
      },
    ],
  },
  {
    name: 'a failure with a code that nobody knows, in a group',
    kind: 'events',
    proofHeader: 'x-hub-signature-256',
    request: (account) =>
      webhook(
        account,
        statusChange(account, 'failed', {
          group_id: 'g1',
          recipient_participant_id: '393330000000',
          biz_opaque_callback_data: 'something of another system',
          errors: [{ code: 139999, title: 'New error', error_data: { details: 'Explained here' } }],
        }),
      ),
    events: [
      {
        kind: 'status',
        eventId: `${WAMID}:failed:393330000000`,
        externalId: WAMID,
        occurredAt: at,
        rawWord: 'failed',
        status: 'failed',
        error: { class: 'ambiguous', code: 'unknown_error', providerCode: '139999', message: 'Explained here' },
      },
    ],
  },
  {
    name: 'many entries and changes at once',
    kind: 'events',
    proofHeader: 'x-hub-signature-256',
    request: (account) =>
      signed(account, {
        object: 'whatsapp_business_account',
        entry: [
          entryOf(account, statusChange(account, 'sent'), statusChange(account, 'delivered', { id: `${WAMID}2` })),
          entryOf(
            account,
            messagesChange(account, {
              statuses: [{ id: `${WAMID}3`, status: 'read', timestamp: AT, recipient_id: '1' }],
              contacts: [{ profile: { name: 'Sheena Nelson' }, wa_id: '16505551234' }],
              messages: [{ from: '16505551234', id: INBOUND, timestamp: AT, type: 'text', text: { body: 'Hi 😀' } }],
            }),
          ),
        ],
      }),
    events: [
      statusEvent('sent'),
      { ...statusEvent('delivered'), eventId: `${WAMID}2:delivered`, externalId: `${WAMID}2` },
      {
        kind: 'status',
        eventId: `${WAMID}3:read`,
        externalId: `${WAMID}3`,
        occurredAt: at,
        rawWord: 'read',
        status: 'read',
      },
      inboundEvent('text', 'Hi 😀'),
    ],
  },
  {
    name: 'what the business wrote on a phone, and news of the account',
    kind: 'events',
    proofHeader: 'x-hub-signature-256',
    request: (account) =>
      webhook(
        account,
        {
          value: {
            metadata: metadata(account),
            message_echoes: [
              { from: '15550783881', to: '16505551234', id: INBOUND, type: 'text', text: { body: 'x' } },
            ],
          },
          field: 'smb_message_echoes',
        },
        { value: { event: 'ACCOUNT_RESTRICTION' }, field: 'account_update' },
        messagesChange(account, { errors: [{ code: 131000, title: 'Something went wrong' }] }),
      ),
    events: [
      {
        kind: 'ignored',
        eventId: expect.stringMatching(/^smb_message_echoes:[0-9a-f]{64}$/) as string,
        externalId: INBOUND,
        occurredAt: null,
        rawWord: 'smb_message_echoes',
      },
      {
        kind: 'ignored',
        eventId: expect.stringMatching(/^account_update:[0-9a-f]{64}$/) as string,
        occurredAt: null,
        rawWord: 'account_update',
      },
      {
        kind: 'ignored',
        eventId: expect.stringMatching(/^error:[0-9a-f]{64}$/) as string,
        occurredAt: null,
        rawWord: 'error',
      },
    ],
  },
  inboundSample(
    'a text',
    { type: 'text', text: { body: 'Does it come in another color?' } },
    inboundEvent('text', 'Does it come in another color?'),
  ),
  inboundSample(
    'a button of a template',
    { type: 'button', context: CONTEXT, button: { payload: 'UNSUB', text: 'Unsubscribe' } },
    inboundEvent('button', 'Unsubscribe', {
      button: { text: 'Unsubscribe', payload: 'UNSUB' },
      context: { message_id: WAMID, from: '15550783881' },
    }),
  ),
  inboundSample(
    'a choice from a list',
    {
      type: 'interactive',
      context: CONTEXT,
      interactive: {
        type: 'list_reply',
        list_reply: { id: 'priority_express', title: 'Priority Mail Express', description: 'Next Day to 2 Days' },
      },
    },
    inboundEvent('interactive', 'Priority Mail Express', {
      reply: {
        type: 'list_reply',
        id: 'priority_express',
        title: 'Priority Mail Express',
        description: 'Next Day to 2 Days',
      },
      context: { message_id: WAMID, from: '15550783881' },
    }),
  ),
  inboundSample(
    'a document with a caption',
    {
      type: 'document',
      document: {
        id: '1908647269898587',
        mime_type: 'application/pdf',
        sha256: 'abc=',
        filename: 'a.pdf',
        caption: 'It',
      },
    },
    inboundEvent('document', 'It', {
      media: [{ id: '1908647269898587', content_type: 'application/pdf', sha256: 'abc=', filename: 'a.pdf' }],
    }),
  ),
  inboundSample(
    'a reaction',
    { type: 'reaction', reaction: { message_id: WAMID, emoji: '👍' } },
    inboundEvent('reaction', '👍', { reaction: { message_id: WAMID, emoji: '👍' } }),
  ),
  inboundSample(
    'a place',
    { type: 'location', location: { latitude: 37.4847, longitude: -122.1486, name: 'Meta HQ' } },
    inboundEvent('location', 'Meta HQ', {
      location: { latitude: 37.4847, longitude: -122.1486, name: 'Meta HQ' },
    }),
  ),
  inboundSample(
    'something that cannot be shown',
    { type: 'unsupported', errors: [{ code: 131051, title: 'Message type unknown' }] },
    inboundEvent('unsupported', '', { errors: [{ code: 131051, title: 'Message type unknown' }] }),
  ),
  inboundSample(
    'a number that changed',
    { type: 'system', system: { body: 'User changed', wa_id: '12195555358', type: 'user_changed_number' } },
    { kind: 'ignored', eventId: INBOUND, externalId: INBOUND, occurredAt: at, rawWord: 'system' },
  ),
];

const codes = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

describe('Meta Cloud API', () => {
  providerContract({
    definition: metaCloud,
    accounts: [accountA, accountB],
    message,
    accepted,
    credentialsOnWire: ({ headers, target }) =>
      `${headers.authorization!.replace('Bearer ', '')}@${target.split('/')[2]}`,
    sends: [
      sendOf('a text', { text: 'Grüße & 10 €' }, '"type":"text","text":{"preview_url":false,"body":"Grüße & 10 €"}'),
      sendOf(
        'a text with a link',
        { text: 'See https://a.example/x' },
        '"type":"text","text":{"preview_url":true,"body":"See https://a.example/x"}',
      ),
      sendOf(
        'a template',
        { template: { name: 'order_shipped', language: 'pt-BR', parameters: ['Ann', '81 "21"'] } },
        '"type":"template","template":{"name":"order_shipped","language":{"code":"pt_BR"},"components":[{"type":"body","parameters":[{"type":"text","text":"Ann"},{"type":"text","text":"81 \\"21\\""}]}]}',
      ),
      sendOf(
        "a template without parameters, in the config's language",
        { template: { name: 'hello', parameters: [] } },
        '"type":"template","template":{"name":"hello","language":{"code":"en_US"}}',
      ),
      sendOf(
        'a template with an image in its header',
        { template: { name: 'sale', language: 'en', parameters: [], media_url: 'https://cdn.example.com/a.JPG?x=1' } },
        '"type":"template","template":{"name":"sale","language":{"code":"en"},"components":[{"type":"header","parameters":[{"type":"image","image":{"link":"https://cdn.example.com/a.JPG?x=1"}}]}]}',
      ),
      sendOf(
        'a document',
        { media: { url: 'https://cdn.example.com/in/Invoice%208121.pdf', caption: 'Your invoice' } },
        '"type":"document","document":{"link":"https://cdn.example.com/in/Invoice%208121.pdf","filename":"Invoice 8121.pdf","caption":"Your invoice"}',
      ),
      sendOf(
        'a document whose address is no URI yet',
        { media: { url: 'https://bücher.example/fäil.pdf?x[]=1' } },
        '"type":"document","document":{"link":"https://xn--bcher-kva.example/f%C3%A4il.pdf?x%5B%5D=1","filename":"fäil.pdf"}',
      ),
      sendOf(
        'an image',
        { media: { url: 'http://cdn.example.com/a.png', caption: 'Look' } },
        '"type":"image","image":{"link":"http://cdn.example.com/a.png","caption":"Look"}',
      ),
      sendOf(
        'a video',
        { media: { url: 'https://cdn.example.com/a.mp4' } },
        '"type":"video","video":{"link":"https://cdn.example.com/a.mp4"}',
      ),
      sendOf(
        'a sound',
        { media: { url: 'https://cdn.example.com/a.ogg' } },
        '"type":"audio","audio":{"link":"https://cdn.example.com/a.ogg"}',
      ),
      sendOf(
        'a file without an ending',
        { media: { url: 'https://cdn.example.com/' } },
        '"type":"document","document":{"link":"https://cdn.example.com/"}',
      ),
      {
        name: "the config's version of the API, and its own number as sender",
        message: { from: '+15550783881' },
        account: { settings: { ...accountA.settings, api_version: 'v26.0' } },
        wire: wire(
          '"type":"text","text":{"preview_url":false,"body":"Grüße & 10 €"}',
          '/v26.0/106540352242922/messages',
        ),
        answer: accepted,
        result: { externalId: WAMID },
      },
    ],
    codes: {
      config: [
        ...'0 3 10 33 104 190 368 130497 131005 131030 131031 131037 131042 131045'.split(' '),
        ...codes(200, 299),
        ...codes(133000, 133003),
        ...codes(133005, 133015),
      ],
      content_permanent:
        '100 131008 131009 131047 131051 131053 132000 132001 132005 132007 132012 132015 132016 132068 134011 134100 134102 135000'.split(
          ' ',
        ),
      recipient_permanent: '130472 131021 131026 131050'.split(' '),
      throttled: '4 613 80007 130429 131048 131049 131056 132069 133016'.split(' '),
      transient: '1 2 131000 131016 131052 131057 133004 134101'.split(' '),
      ambiguous: [],
    },
    refusal: (code) => (code === '33' ? graphError(100, { error_subcode: 33 }) : graphError(Number(code))),
    providerCode: (code) => (code === '33' ? '100' : code),
    statuses: { sent: 'sent', delivered: 'delivered', read: 'read', played: 'read', failed: 'failed', deleted: null },
    callbacks,
    statusCallback: (word) => webhook(accountA, statusChange(accountA, word)),
  });

  it('signs as openssl does', () => {
    // printf '%s' '{"object":"whatsapp_business_account"}' | openssl dgst -sha256 -hmac 'app-secret'
    expect(metaSignature('app-secret', '{"object":"whatsapp_business_account"}')).toBe(
      'sha256=0bf7374433906636bed1653bc7c64affb42fa5da9a39e251ab95c2e3a9c06923',
    );
  });

  describe('the verification question', () => {
    const { challenge } = metaCloud.callbacks.events!;
    const question = (query: string, method: 'GET' | 'POST' = 'GET'): CallbackRequest => ({
      method,
      publicUrl: `https://um.example.com/webhook/whatsapp/events/cfg_1?${query}`,
      query: new URLSearchParams(query),
      headers: {},
      rawBody: Buffer.alloc(0),
    });
    const right = 'hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=verify-of-a-0123456789';

    it('is answered with the challenge as plain text', () => {
      expect(challenge!(question(right), secretsOf(accountA))).toEqual({
        status: 200,
        contentType: 'text/plain; charset=utf-8',
        body: '1158201444',
      });
    });

    it.each([
      ['another token', right.replace('of-a', 'of-b')],
      ['no token', 'hub.mode=subscribe&hub.challenge=1158201444'],
      ['an empty token', 'hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token='],
      ['another mode', right.replace('subscribe', 'unsubscribe')],
      ['no challenge', right.replace('1158201444', '')],
      ['a huge challenge', right.replace('1158201444', '1'.repeat(2000))],
    ])('is refused with %s', (_, query) => {
      expect(() => challenge!(question(query), secretsOf(accountA))).toThrow(InvalidSignature);
    });

    it('is refused for a config without a token', () => {
      const { webhook_verify_token: _, ...rest } = accountA.credentials;
      const nothing = secretsOf({ ...accountA, credentials: rest });
      expect(() => challenge!(question('hub.mode=subscribe&hub.challenge=1&hub.verify_token='), nothing)).toThrow(
        InvalidSignature,
      );
    });

    it('is none without a mode, or as a POST', () => {
      expect(challenge!(question('x=1'), secretsOf(accountA))).toBeUndefined();
      expect(challenge!(question(right, 'POST'), secretsOf(accountA))).toBeUndefined();
    });
  });

  describe('errors and health', () => {
    let server: ScriptedServer;
    let http: UndiciHttpClient;
    const gateway = () =>
      metaCloud.create(gatewayDeps({ http, baseUrl: server.origin, clock: new ManualClock(SAMPLE_NOW) }));
    beforeEach(async () => {
      server = await ScriptedServer.start();
      http = new UndiciHttpClient();
    });
    afterEach(async () => {
      await http.close();
      await server.close();
    });

    it('keeps the code, the text and the details', async () => {
      server.fallback = graphError(131047);
      await expect(gateway().send(message, contextFor(accountA))).rejects.toMatchObject({
        class: 'content_permanent',
        code: 'window_closed',
        providerCode: '131047',
        providerText: '(#131047) Meta says no: why',
      });
    });

    it('takes an invalid phone number id for a fault of the config, by its text too', async () => {
      server.fallback = graphError(100, { message: 'Invalid phone number ID format. Must be numeric.' });
      await expect(gateway().send(message, contextFor(accountA))).rejects.toMatchObject({
        class: 'config',
        code: 'sender_not_found',
        providerCode: '100',
      });
    });

    it('classifies a code that it does not know by the HTTP status, and keeps it', async () => {
      server.fallback = json(503, { error: { message: 'later', type: 'x', code: 139999 } });
      await expect(gateway().send(message, contextFor(accountA))).rejects.toMatchObject({
        class: 'transient',
        providerCode: '139999',
      });
    });

    it.each([
      ['a number that works', json(200, { id: '106540352242922', quality_rating: 'GREEN' }), { healthy: true }],
      ['an id of something else', json(200, { id: '1' }), { healthy: false, errorClass: 'config' }],
      ['an expired token', graphError(190), { healthy: false, errorClass: 'config' }],
      ['a number that is gone', graphError(100, { error_subcode: 33 }), { healthy: false, errorClass: 'config' }],
      ['an unavailable service', answer(503), { healthy: false, errorClass: 'transient' }],
      ['an answer that nobody can read', answer(200, '<html>'), { healthy: false, errorClass: 'transient' }],
    ])('healthCheck tells %s', async (_, script, expected) => {
      server.fallback = script;
      await expect(gateway().healthCheck(contextFor(accountA))).resolves.toMatchObject(expected);
      expect(server.requests[0]).toMatchObject({
        method: 'GET',
        target: '/v23.0/106540352242922?fields=id%2Cdisplay_phone_number%2Cverified_name%2Cquality_rating',
        headers: { authorization: 'Bearer token-of-a-0123456789' },
      });
    });
  });

  describe('validate', () => {
    const issues = (over: Partial<OutboundMessage<'whatsapp'>>, settings = accountA.settings) =>
      metaCloud
        .create(gatewayDeps({ http: new UndiciHttpClient(), baseUrl: '' }))
        .validate({ ...message, ...over }, settings)
        .map(({ field, code }) => [field, code]);
    const template = { name: 'hello', parameters: [] };

    it.each<[string, Partial<OutboundMessage<'whatsapp'>>, string[][]]>([
      ['an ordinary message', {}, []],
      ['an empty text', { content: { text: '' } }, [['message', 'required']]],
      ['4096 characters', { content: { text: 'x'.repeat(4096) } }, []],
      ['4097 characters', { content: { text: 'x'.repeat(4097) } }, [['message', 'too_long']]],
      ['the number of the config', { from: '+15550783881' }, []],
      ['another number', { from: '+15550783882' }, [['from', 'invalid_sender']]],
      [
        'a caption of a sound',
        { content: { media: { url: 'https://a.example/a.mp3', caption: 'x' } } },
        [['media.caption', 'not_supported']],
      ],
      [
        'a long caption',
        { content: { media: { url: 'https://a.example/a.jpg', caption: 'x'.repeat(1025) } } },
        [['media.caption', 'too_long']],
      ],
      [
        'a sound in a header',
        { content: { template: { ...template, media_url: 'https://a.example/a.mp3' } } },
        [['template.media_url', 'not_supported']],
      ],
      ["a template in the config's language", { content: { template } }, []],
    ])('%s', (_, over, expected) => expect(issues(over)).toEqual(expected));

    it('wants a language when the config has none', () => {
      expect(issues({ content: { template } }, {})).toEqual([['template.language', 'required']]);
      expect(issues({ content: { template: { ...template, language: 'de' } } }, {})).toEqual([]);
    });

    it('takes no sender when the config does not say its number', () =>
      expect(issues({ from: '+15550783881' }, {})).toEqual([['from', 'invalid_sender']]));
  });
});
