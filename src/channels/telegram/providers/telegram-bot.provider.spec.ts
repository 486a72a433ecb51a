import { contextFor, providerContract, SAMPLE_NOW, secretsOf } from '../../../../test/contract/provider.contract';
import type { SampleAccount, SampleCallback } from '../../../../test/contract/provider.contract';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import { answer, hang, json, ScriptedServer } from '../../../../test/support/scripted-server';
import type { CallbackRequest } from '../../../gateway/contracts/callback';
import type { OutboundMessage, TelegramContent } from '../../../gateway/contracts/gateway';
import { GatewayError, InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { ManualClock } from '../../../kernel/clock';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { telegramBot } from './telegram-bot.provider';

const accountA: SampleAccount = {
  settings: {},
  credentials: { bot_token: '123456789:AAtoken-of-a_0123456789abcdefghijk', webhook_secret: 'secret-of-a_0123456789' },
};
const accountB: SampleAccount = {
  settings: { default_parse_mode: 'HTML' },
  credentials: { bot_token: '987654321:AAtoken-of-b_0123456789abcdefghijk', webhook_secret: 'secret-of-b_9876543210' },
};

const message: OutboundMessage<'telegram'> = {
  id: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  clientId: 'demo_0123456789abcdef',
  channel: 'telegram',
  to: '5005550000',
  from: null,
  priority: 'normal',
  content: { text: 'Grüße & 10 € <b>😀</b>' },
  expiresAt: SAMPLE_NOW + 3600 * 1000,
};

const sent = (chat = 5_005_550_000) =>
  json(200, {
    ok: true,
    result: { message_id: 42, date: SAMPLE_NOW / 1000, chat: { id: chat, type: 'private' }, text: 'x' },
  });

const wire = (method: string, body: object): string => {
  const text = JSON.stringify(body);
  return `POST /bot${accountA.credentials.bot_token}/${method} HTTP/1.1
host: 127.0.0.1:{port}
connection: keep-alive
accept: application/json
content-type: application/json
content-length: ${Buffer.byteLength(text)}

${text}`;
};
const mediaSend = (name: string, url: string, method: string, field: string, uri = url) => ({
  name,
  message: { content: { media: { url, caption: 'Your parcel' } } },
  wire: wire(method, { chat_id: 5_005_550_000, [field]: uri, caption: 'Your parcel' }),
  answer: sent(),
  result: { externalId: '5005550000:42' },
});

function update(content: object, account: SampleAccount): CallbackRequest {
  const publicUrl = 'https://um.example.com/webhook/telegram/events/cfg_1';
  return {
    method: 'POST',
    publicUrl,
    query: new URL(publicUrl).searchParams,
    headers: {
      'content-type': 'application/json',
      'x-telegram-bot-api-secret-token': account.credentials.webhook_secret,
    },
    rawBody: Buffer.from(JSON.stringify({ update_id: 100_001, ...content })),
  };
}

const chat = { id: 5_005_550_000, type: 'private', first_name: 'Ann', username: 'ann' };
const sender = { id: 5_005_550_000, is_bot: false, first_name: 'Ann', username: 'ann', language_code: 'en' };
const base = { eventId: '100001', occurredAt: SAMPLE_NOW, sequence: 100001 };
const inbound = {
  kind: 'inbound' as const,
  ...base,
  rawWord: 'message',
  from: '5005550000',
  to: '',
  detail: { message_id: '7', chat: { id: chat.id, type: 'private', username: 'ann' }, sender },
};
const text = { message_id: 7, date: SAMPLE_NOW / 1000, chat, from: sender };
const proofHeader = 'x-telegram-bot-api-secret-token';
const sample = (name: string, content: object, events: SampleCallback['events']): SampleCallback => ({
  name,
  kind: 'events',
  proofHeader,
  request: (account) => update(content, account),
  events,
});

const callbacks: SampleCallback[] = [
  ...(['inbound', 'status'] as const).map((kind) => ({
    ...sample(`a text that comes as ${kind}`, { message: { ...text, text: 'x' } }, [{ ...inbound, text: 'x' }]),
    kind,
  })),
  {
    ...sample('a text', { message: { ...text, text: '/start order-8121' } }, [
      { ...inbound, text: '/start order-8121' },
    ]),
    forged: {
      'the secret in the query, not in the header': (request) => ({
        ...request,
        query: new URLSearchParams({
          token: request.headers[proofHeader]!,
          secret_token: request.headers[proofHeader]!,
        }),
        headers: {},
      }),
      'the bot token in place of the secret': (request) => ({
        ...request,
        headers: { ...request.headers, [proofHeader]: accountA.credentials.bot_token },
      }),
    },
  },
  sample(
    'a photo with a caption, in reply to a message',
    {
      message: {
        ...text,
        caption: 'Look',
        photo: [
          { file_id: 'small', file_unique_id: 's', width: 90, height: 90, file_size: 100 },
          { file_id: 'large', file_unique_id: 'l', width: 900, height: 900, file_size: 9000 },
        ],
        reply_to_message: { ...text, message_id: 5, text: 'Send a picture' },
      },
    },
    [
      {
        ...inbound,
        text: 'Look',
        detail: {
          ...inbound.detail,
          media: [{ type: 'photo', file_id: 'large', file_unique_id: 'l', file_size: 9000 }],
          reply_to_message_id: '5',
        },
      },
    ],
  ),
  sample(
    'a post in a channel',
    {
      channel_post: {
        message_id: 7,
        date: SAMPLE_NOW / 1000,
        chat: { id: -100_123, type: 'channel', title: 'News' },
        text: 'Hi',
      },
    },
    [
      {
        ...inbound,
        rawWord: 'channel_post',
        from: '-100123',
        text: 'Hi',
        detail: { message_id: '7', chat: { id: -100_123, type: 'channel', title: 'News' } },
      },
    ],
  ),
  sample('a notice without text', { message: { ...text, new_chat_members: [sender] } }, [
    { kind: 'ignored', ...base, rawWord: 'message' },
  ]),
  sample(
    'a person who blocks the bot',
    {
      my_chat_member: {
        chat,
        from: sender,
        date: SAMPLE_NOW / 1000,
        old_chat_member: { user: { id: 1 }, status: 'member' },
        new_chat_member: { user: { id: 1 }, status: 'kicked', until_date: 0 },
      },
    },
    [
      {
        kind: 'engagement',
        ...base,
        rawWord: 'my_chat_member',
        type: 'unsubscribed',
        recipient: '5005550000',
        detail: { reason: 'bot_blocked' },
      },
    ],
  ),
  sample(
    'a person who lets the bot in again',
    { my_chat_member: { chat, from: sender, date: SAMPLE_NOW / 1000, new_chat_member: { status: 'member' } } },
    [{ kind: 'ignored', ...base, rawWord: 'my_chat_member' }],
  ),
  sample(
    'a group that removes the bot',
    {
      my_chat_member: {
        chat: { id: -5, type: 'group' },
        date: SAMPLE_NOW / 1000,
        new_chat_member: { status: 'kicked' },
      },
    },
    [{ kind: 'ignored', ...base, rawWord: 'my_chat_member' }],
  ),
  sample('a kind that nobody asked for', { poll: { id: '1' } }, [
    { kind: 'ignored', eventId: '100001', occurredAt: null, rawWord: 'poll', sequence: 100001 },
  ]),
];

const DESCRIPTIONS: Record<string, string> = {
  '401': 'Unauthorized',
  '404': 'Not Found',
  '429': 'Too Many Requests',
  '400': 'Bad Request: SOMETHING_NEW',
  '403': 'Forbidden: something new',
};

describe('Telegram', () => {
  providerContract({
    definition: telegramBot,
    accounts: [accountA, accountB],
    message,
    accepted: sent(),
    credentialsOnWire: (request) => /\/bot([^/]+)\//.exec(request.target)![1]!,
    marked: (mark) => ({ content: { text: mark } }),
    sends: [
      {
        name: 'a text',
        wire: wire('sendMessage', { chat_id: 5_005_550_000, text: message.content.text }),
        answer: sent(),
        result: { externalId: '5005550000:42' },
      },
      {
        name: 'formatted and silent, to a channel by its name',
        message: {
          to: '@acme_news',
          content: { text: '*Hi*', parse_mode: 'MarkdownV2', disable_notification: true },
        },
        wire: wire('sendMessage', {
          chat_id: '@acme_news',
          text: '*Hi*',
          parse_mode: 'MarkdownV2',
          disable_notification: true,
        }),
        answer: sent(-1_001_234_567_890),
        result: { externalId: '-1001234567890:42' },
      },
      {
        name: "the config's parse mode",
        account: { settings: { default_parse_mode: 'HTML' } },
        wire: wire('sendMessage', { chat_id: 5_005_550_000, text: message.content.text, parse_mode: 'HTML' }),
        answer: sent(),
        result: { externalId: '5005550000:42' },
      },
      mediaSend(
        'a photo whose address is no URI yet',
        'https://bücher.example/bild 1.jpg',
        'sendPhoto',
        'photo',
        'https://xn--bcher-kva.example/bild%201.jpg',
      ),
      mediaSend('a photo', 'https://cdn.example.com/a/b.JPG?size=1.5', 'sendPhoto', 'photo'),
      mediaSend('an animation', 'https://cdn.example.com/b.gif', 'sendAnimation', 'animation'),
      mediaSend('a video', 'https://cdn.example.com/b.mp4', 'sendVideo', 'video'),
      mediaSend('a sound', 'https://cdn.example.com/b.mp3', 'sendAudio', 'audio'),
      mediaSend('a voice message', 'https://cdn.example.com/b.ogg', 'sendVoice', 'voice'),
      mediaSend('a document', 'https://cdn.example.com/invoice.pdf', 'sendDocument', 'document'),
      mediaSend('a file without an ending', 'https://cdn.example.com/files/constructor', 'sendDocument', 'document'),
    ],
    codes: {
      recipient_permanent: [
        '400 chat not found',
        '400 user not found',
        '400 chat_id is empty',
        '400 empty chat_id',
        '400 peer_id_invalid',
        '400 message thread not found',
        '400 have no rights to send',
        '400 not enough rights',
        '400 topic_closed',
        '400 chat_write_forbidden',
        '400 group chat was upgraded to a supergroup',
        '403 bot was blocked by the user',
        '403 user is deactivated',
        '403 bot was kicked',
        '403 bot is not a member',
        "403 bot can't initiate conversation",
        "403 bot can't send messages to bots",
        '403',
      ],
      content_permanent: [
        '400 message text is empty',
        '400 text is too long',
        '400 message is too long',
        '400 caption is too long',
        "400 can't parse entities",
        '400 unsupported parse_mode',
        '400 reply markup is too long',
        '400 button_',
        '400 message to be replied not found',
        '400 wrong http url',
        '400 failed to get http url content',
        '400 wrong type of the web page content',
        "400 can't upload file by url",
        '400 wrong file identifier',
        '400',
        '413',
      ],
      config: ['401', '404', '409', '400 bad webhook'],
      throttled: ['429'],
      transient: ['503'],
      ambiguous: ['500', '502', '504'],
    },
    refusal: (key) => {
      const code = Number(key.slice(0, 3));
      const words = key.slice(4).toUpperCase();
      const description = words === '' ? (DESCRIPTIONS[key] ?? 'Oops') : `Bad Request: ${words} (somewhere)`;
      return json(code, { ok: false, error_code: code, description });
    },
    providerCode: (key) => key.slice(0, 3),
    statuses: {},
    callbacks,
  });

  describe('answers', () => {
    let server: ScriptedServer;
    let http: UndiciHttpClient;
    const gateway = () =>
      telegramBot.create(gatewayDeps({ http, baseUrl: server.origin, clock: new ManualClock(SAMPLE_NOW) }));
    const send = (over: Partial<OutboundMessage<'telegram'>> = {}) =>
      gateway().send({ ...message, ...over }, contextFor(accountA));
    const failure = (over?: Partial<OutboundMessage<'telegram'>>) =>
      send(over).then(
        () => undefined,
        (error: unknown) => error as GatewayError,
      );
    const says = (code: number, description: string, parameters?: object) =>
      json(code, { ok: false, error_code: code, description, ...(parameters && { parameters }) });

    beforeEach(async () => {
      server = await ScriptedServer.start();
      http = new UndiciHttpClient();
    });
    afterEach(async () => {
      await http.close();
      await server.close();
    });

    it('sends again, once, to the supergroup that a group has become', async () => {
      const moved = says(400, 'Bad Request: group chat was upgraded to a supergroup chat', {
        migrate_to_chat_id: -1_001_111_111_111,
      });
      server.scripts.push(moved, sent(-1_001_111_111_111));
      await expect(send({ to: '-4567' })).resolves.toEqual({ externalId: '-1001111111111:42' });
      expect(server.requests.map(({ body }) => JSON.parse(body).chat_id)).toEqual([-4567, -1_001_111_111_111]);

      server.scripts.push(moved, moved);
      expect(await failure({ to: '-4567' })).toMatchObject({ class: 'recipient_permanent', code: 'chat_not_writable' });
      expect(server.requests).toHaveLength(4);
    });

    it.each([
      ['retry_after', says(429, 'Too Many Requests: retry after 7', { retry_after: 7 }), 7000],
      [
        'a Retry-After header too',
        json(
          429,
          { ok: false, error_code: 429, description: 'x', parameters: { retry_after: 3 } },
          { 'retry-after': '9' },
        ),
        3000,
      ],
      ['a year', says(429, 'x', { retry_after: 31_536_000 }), 86_400_000],
      ['nonsense', says(429, 'x', { retry_after: 'soon' }), undefined],
    ])('429 with %s waits as told, for this chat at first', async (_, script, retryAfterMs) => {
      server.fallback = script;
      const error = await failure();
      expect(error).toMatchObject({ class: 'throttled', scope: 'recipient', providerCode: '429' });
      expect(error!.retryAfterMs).toBe(retryAfterMs);
    });

    it('believes ok:false and error_code, whatever the status', async () => {
      server.fallback = json(200, {
        ok: false,
        error_code: 403,
        description: 'Forbidden: bot was blocked by the user',
      });
      expect(await failure()).toMatchObject({
        class: 'recipient_permanent',
        code: 'bot_blocked',
        providerCode: '403',
        providerText: 'Forbidden: bot was blocked by the user',
      });
    });

    it('classifies a code that nobody knows by the status, and keeps it', async () => {
      server.fallback = says(418, 'I am a teapot');
      expect(await failure()).toMatchObject({ class: 'ambiguous', providerCode: '418', providerText: 'I am a teapot' });
      server.fallback = says(405, 'Method Not Allowed');
      expect(await failure()).toMatchObject({ class: 'config', providerCode: '405' });
    });

    it('never shows the token, which is in the URL', async () => {
      const token = accountA.credentials.bot_token!;
      for (const script of [says(400, `Bad Request: /bot${token}/sendMessage`), hang, answer(200, token)]) {
        server.fallback = script;
        const error = (await gateway()
          .send(message, contextFor(accountA, { timeoutMs: 80 }))
          .catch((caught: unknown) => caught)) as GatewayError;
        expect(error).toBeInstanceOf(GatewayError);
        const cause = error.cause as Error | undefined;
        expect(JSON.stringify([error, error.message, error.stack, cause?.message, cause?.stack])).not.toContain(token);
      }
    });

    it('subscribes with the URL of the config and its own secret', async () => {
      server.fallback = json(200, { ok: true, result: true, description: 'Webhook was set' });
      await gateway().subscribe!(contextFor(accountA));
      await gateway().subscribe!(contextFor({ settings: {}, credentials: { bot_token: '1:made' } }));
      const body = (secret: string) => ({
        url: 'https://um.example.com/webhook/x/events/cfg_1',
        allowed_updates: ['message', 'channel_post', 'my_chat_member'],
        secret_token: secret,
      });
      expect(
        server.requests.map(({ method, target, body: sentBody }) => [method, target, JSON.parse(sentBody)]),
      ).toEqual([
        ['POST', `/bot${accountA.credentials.bot_token}/setWebhook`, body('secret-of-a_0123456789')],
        ['POST', '/bot1:made/setWebhook', body('url-token')],
      ]);
    });

    it.each([
      [
        'a wrong URL',
        says(400, 'Bad Request: bad webhook: An HTTPS URL must be provided for webhook'),
        'config',
        'callback_unreachable',
      ],
      ['a wrong token', says(401, 'Unauthorized'), 'config', 'bad_credentials'],
      ['a wrong token, by another code', says(404, 'Not Found'), 'config', expect.any(String)],
      ['a stand-in without webhooks', answer(404, 'Cannot POST'), 'transient', expect.any(String)],
      ['a failure', answer(503), 'transient', expect.any(String)],
      ['silence', hang, 'transient', 'not_reached'],
    ])('subscribing fails classified: %s', async (_, script, errorClass, code) => {
      server.fallback = script;
      const timeoutMs = script === hang ? 80 : 5_000;
      await expect(gateway().subscribe!(contextFor(accountA, { timeoutMs }))).rejects.toMatchObject({
        class: errorClass,
        code,
      });
    });

    it.each([
      ['a bot', json(200, { ok: true, result: { id: 1, is_bot: true, first_name: 'b' } }), { healthy: true }],
      ['a revoked token', says(401, 'Unauthorized'), { healthy: false, errorClass: 'config' }],
      ['an unavailable service', answer(503), { healthy: false, errorClass: 'transient' }],
      ['an answer that nobody can read', answer(200, '<html>'), { healthy: false, errorClass: 'transient' }],
    ])('healthCheck tells %s', async (_, script, expected) => {
      server.fallback = script;
      await expect(gateway().healthCheck(contextFor(accountA))).resolves.toMatchObject(expected);
      expect(server.requests[0]!.target).toBe(`/bot${accountA.credentials.bot_token}/getMe`);
    });
  });

  describe('secret', () => {
    const { verify } = telegramBot.callbacks.events!;
    const own = { settings: {}, credentials: { bot_token: '1:made' } };
    const request = (secret: string) =>
      update({ message: { ...text, text: 'x' } }, { settings: {}, credentials: { webhook_secret: secret } });

    it("is the one that UniMsg made where the config has none, and the config's own otherwise", () => {
      expect(() => verify(request('made-by-us'), secretsOf(own, 'made-by-us'), SAMPLE_NOW)).not.toThrow();
      expect(() => verify(request('other'), secretsOf(own, 'made-by-us'), SAMPLE_NOW)).toThrow(InvalidSignature);
      expect(() => verify(request('made-by-us'), secretsOf(accountA, 'made-by-us'), SAMPLE_NOW)).toThrow(
        InvalidSignature,
      );
      expect(() => verify(request(''), secretsOf(own, ''), SAMPLE_NOW)).toThrow(InvalidSignature);
    });
  });

  describe('validate', () => {
    const issues = (content: TelegramContent) =>
      telegramBot
        .create(gatewayDeps({ http: new UndiciHttpClient(), baseUrl: '' }))
        .validate({ ...message, content }, {})
        .map(({ field, code }) => [field, code]);
    const media = { url: 'https://cdn.example.com/a.jpg' };
    it.each<[string, TelegramContent, string[][]]>([
      ['a text', { text: 'x'.repeat(4096) }, []],
      ['a long text', { text: 'x'.repeat(4097) }, [['message', 'too_long']]],
      ['an empty text', { text: '' }, [['message', 'required']]],
      ['nothing', {}, [['message', 'required']]],
      ['a file', { media }, []],
      ['a caption', { media: { ...media, caption: 'x'.repeat(1024) } }, []],
      ['a long caption', { media: { ...media, caption: 'x'.repeat(1025) } }, [['media.caption', 'too_long']]],
      ['a text and a file', { text: 'x', media }, [['message', 'conflict']]],
    ])('%s', (_, content, expected) => expect(issues(content)).toEqual(expected));
  });
});
