import { randomBytes, randomInt } from 'node:crypto';
import { replyTo } from '../../../gateway/contracts/simulated-callback';
import { REFUSED_SECRET_PREFIX } from '../../../gateway/contracts/simulator';
import type {
  ProviderSimulator,
  SimulatedCallback,
  SimulatorAnswer,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import { SECRET_HEADER } from './telegram-bot.callbacks';

/** What a bot told with `setWebhook`. */
interface Webhook {
  url: string;
  secret: string | undefined;
  allowed: unknown;
}

/** What a running stand-in knows of one bot. */
interface Bot {
  webhook: Webhook | undefined;
  nextUpdate: number;
  nextMessage: number;
}

const COMMON = [
  'business_connection_id',
  'chat_id',
  'message_thread_id',
  'direct_messages_topic_id',
  'parse_mode',
  'disable_notification',
  'protect_content',
  'allow_paid_broadcast',
  'message_effect_id',
  'suggested_post_parameters',
  'reply_parameters',
  'reply_markup',
];

/** The methods that send, each with its own member, and all parameters of Bot API 10.1; another one is a caller's mistake. */
const SENDS: Readonly<Record<string, { content: string; parameters: ReadonlySet<string> }>> = {
  sendmessage: sends('text', ['entities', 'link_preview_options']),
  sendphoto: sends('photo', ['show_caption_above_media', 'has_spoiler'], true),
  sendanimation: sends('animation', ['duration', 'width', 'height', 'thumbnail', 'has_spoiler'], true),
  sendvideo: sends('video', ['duration', 'width', 'height', 'thumbnail', 'cover', 'supports_streaming'], true),
  sendaudio: sends('audio', ['duration', 'performer', 'title', 'thumbnail'], true),
  sendvoice: sends('voice', ['duration'], true),
  senddocument: sends('document', ['thumbnail', 'disable_content_type_detection'], true),
};
const WEBHOOK_PARAMETERS = new Set([
  'url',
  'certificate',
  'ip_address',
  'max_connections',
  'allowed_updates',
  'drop_pending_updates',
  'secret_token',
]);
const PARSE_MODES: ReadonlySet<unknown> = new Set([undefined, 'HTML', 'MarkdownV2', 'Markdown']);

const FIRST_UPDATE = 4_000_000_000_000;

/** A running simulator's bots by token; a simulator that ends takes them along. */
const bots = new WeakMap<SimulatorPort, Map<string, Bot>>();

/**
 * Behaves as the Bot API does; remembers each bot's webhook and sends updates there with its secret. Refuses a token whose part after the colon
 * begins with `invalid`.
 */
export const telegramSimulator: ProviderSimulator = {
  account: () => ({
    credentials: { bot_token: `${randomInt(100_000_000, 1_000_000_000)}:AA${randomBytes(24).toString('base64url')}` },
  }),

  handle(request, port) {
    const path = /^\/bot([^/]+)\/([A-Za-z]+)$/.exec(request.path);
    const token = path === null ? undefined : tokenOf(path[1]!);
    if (path === null || token === undefined) return failure(404, 'Not Found');
    if (token.slice(token.indexOf(':') + 1).startsWith(REFUSED_SECRET_PREFIX)) return failure(401, 'Unauthorized');
    const bot = botOf(port, token);
    const method = path[2]!.toLowerCase();
    const parameters = parametersOf(request);
    if (parameters === undefined) return failure(400, 'Bad Request: the request is not JSON');
    if (method === 'getme') return success(userOf(token));
    if (method === 'setwebhook') return setWebhook(bot, parameters);
    if (method === 'deletewebhook') {
      bot.webhook = undefined;
      return success(true);
    }
    if (method === 'getwebhookinfo') {
      return success({ url: bot.webhook?.url ?? '', has_custom_certificate: false, pending_update_count: 0 });
    }
    return Object.hasOwn(SENDS, method) ? send(method, parameters, token, bot, port) : failure(404, 'Not Found');
  },

  // Nothing of a bot is kept over a restart, so the set-up is asked.
  inbound({ from, text }, { credentials, callbackUrl, callbackToken }, port) {
    const webhook = { url: callbackUrl('events'), secret: credentials.webhook_secret ?? callbackToken() };
    return [update(botOf(port, credentials.bot_token ?? ''), webhook, chatOf(from), text, port.now())];
  },
};

function sends(content: string, further: string[], caption = false) {
  const captions = caption ? ['caption', 'caption_entities'] : [];
  return { content, parameters: new Set([...COMMON, content, ...captions, ...further]) };
}

function botOf(port: SimulatorPort, token: string): Bot {
  const known = bots.get(port) ?? new Map<string, Bot>();
  bots.set(port, known);
  let bot = known.get(token);
  // Lower with each start: its ids are no repeats of those before, and no gap in them.
  const nextUpdate = FIRST_UPDATE - port.now();
  if (bot === undefined) known.set(token, (bot = { webhook: undefined, nextUpdate, nextMessage: 1 }));
  return bot;
}

function parametersOf(request: SimulatorRequest): Record<string, unknown> | undefined {
  if (request.method === 'GET' || request.body.length === 0) return Object.fromEntries(request.query);
  const type = request.headers['content-type'];
  return typeof type === 'string' && type.startsWith('application/json') ? jsonObject(request.body) : undefined;
}

function setWebhook(bot: Bot, parameters: Record<string, unknown>): SimulatorAnswer {
  const unknown = Object.keys(parameters).find((name) => !WEBHOOK_PARAMETERS.has(name));
  if (unknown !== undefined) return failure(400, `Bad Request: unknown parameter ${unknown}`);
  const { url, secret_token: secret, allowed_updates: allowed } = parameters;
  // The real one wants https and a public address; a stand-in reaches the machine that it runs on.
  if (typeof url !== 'string' || (url !== '' && !URL.canParse(url)))
    return failure(400, 'Bad Request: bad webhook: invalid webhook URL specified');
  if (secret !== undefined && (typeof secret !== 'string' || !/^[A-Za-z0-9_-]{1,256}$/.test(secret)))
    return failure(400, 'Bad Request: secret token contains illegal characters');
  bot.webhook = url === '' ? undefined : { url, secret, allowed };
  return success(true);
}

function send(method: string, parameters: Record<string, unknown>, token: string, bot: Bot, port: SimulatorPort) {
  const { content, parameters: known } = SENDS[method]!;
  const unknown = Object.keys(parameters).find((name) => !known.has(name));
  if (unknown !== undefined) return failure(400, `Bad Request: unknown parameter ${unknown}`);
  const to = textOf(parameters.chat_id);
  if (to === undefined || to === '') return failure(400, 'Bad Request: chat_id is empty');
  if (!/^(-?\d+|@\w+)$/.test(to)) return failure(400, 'Bad Request: chat not found');
  if (!PARSE_MODES.has(parameters.parse_mode)) return failure(400, 'Bad Request: unsupported parse_mode');
  const value = parameters[content];
  const isText = content === 'text';
  if (typeof value !== 'string' || value === '')
    return failure(
      400,
      isText ? 'Bad Request: message text is empty' : `Bad Request: there is no ${content} in the request`,
    );
  if (isText && value.length > 4096) return failure(400, 'Bad Request: message is too long');
  if (!isText && !/^https?:\/\//.test(value)) return failure(400, 'Bad Request: wrong HTTP URL specified');
  const caption = textOf(parameters.caption) ?? '';
  if (caption.length > 1024) return failure(400, 'Bad Request: message caption is too long');
  const messageId = bot.nextMessage++;
  const chat = chatOf(to);
  const body = isText ? value : [value, caption].filter((part) => part !== '').join('\n');
  return port.play({
    submission: {
      provider: 'telegram_bot',
      externalId: `${chat.id}:${messageId}`,
      to,
      from: null,
      body,
      reference: null,
    },
    accepted: () =>
      success({
        message_id: messageId,
        from: userOf(token),
        chat,
        date: Math.floor(port.now() / 1000),
        ...(isText ? { text: value } : { caption }),
      }),
    refused: (why) => REFUSALS[why](),
    callbacks: (event) =>
      event === 'inbound' && bot.webhook ? [update(bot, bot.webhook, chat, replyTo(body), port.now())] : [],
  });
}

const REFUSALS = {
  invalid_recipient: () => failure(400, 'Bad Request: chat not found'),
  throttled: () => failure(429, 'Too Many Requests: retry after 2', { retry_after: 2 }),
  server_error: () => failure(500, 'Internal Server Error'),
};

/** What the person says, as an update to the webhook. */
function update(
  bot: Bot,
  webhook: Pick<Webhook, 'url' | 'secret'>,
  chat: { id: number },
  text: string,
  now: number,
): SimulatedCallback {
  const content = {
    update_id: bot.nextUpdate++,
    message: {
      message_id: bot.nextMessage++,
      from: { id: chat.id, is_bot: false, first_name: 'Simulated' },
      chat,
      date: Math.floor(now / 1000),
      text,
    },
  };
  return {
    url: webhook.url,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(webhook.secret !== undefined && { [SECRET_HEADER]: webhook.secret }),
    },
    body: JSON.stringify(content),
    word: 'message',
  };
}

function chatOf(to: string): { id: number; type: string; username?: string } {
  if (to.startsWith('@')) return { id: -1_001_000_000_000, type: 'channel', username: to.slice(1) };
  const id = Number(to);
  return { id, type: id < 0 ? 'supergroup' : 'private' };
}

/** Undefined for what is no encoded text. */
function tokenOf(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

function userOf(token: string): object {
  const id = Number(/^\d+/.exec(token)?.[0] ?? 1);
  return { id, is_bot: true, first_name: 'Simulated bot', username: `simulated_${id}_bot` };
}

function success(result: unknown): SimulatorAnswer {
  return json(200, { ok: true, result });
}

function failure(code: number, description: string, parameters?: object): SimulatorAnswer {
  return json(code, { ok: false, error_code: code, description, ...(parameters && { parameters }) });
}

function json(status: number, body: unknown): SimulatorAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
