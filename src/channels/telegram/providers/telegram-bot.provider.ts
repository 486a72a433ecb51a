// Calls the API through platform/http-client: grammY wraps what went wrong on the wire, and waits 500 seconds by itself.
import { z } from 'zod';
import type {
  Gateway,
  GatewayContext,
  HealthReport,
  OutboundMessage,
  SendResult,
  ValidationIssue,
} from '../../../gateway/contracts/gateway';
import { GatewayError } from '../../../gateway/contracts/gateway-error';
import { ProviderApi } from '../../../gateway/contracts/provider-api';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import type { AnswerRules } from '../../../gateway/contracts/provider-answer';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import { asUri } from '../../../kernel/uri';
import type { HttpResponse } from '../../../platform/http-client/http-client';
import { ALLOWED_UPDATES, telegramUpdates, webhookSecret } from './telegram-bot.callbacks';
import { telegramSimulator } from './telegram-bot.simulator';
import { TELEGRAM_ERRORS, telegramErrorKey } from './telegram-bot.vocabulary';

const MAX_TEXT = 4096;
const MAX_CAPTION = 1024;

/** Longest pause that a `retry_after` can ask for. */
const MAX_RETRY_AFTER_SECONDS = 24 * 3600;

const RULES: AnswerRules = { title: 'Telegram', errors: TELEGRAM_ERRORS };

/**
 * How a file is sent, by the ending of its address.
 *
 * Quirk: Telegram fetches documents by address only when they are PDF or ZIP (or GIF), and a voice message has to be audio/ogg of at most 1 MB
 * (core.telegram.org/bots/api#sending-files, 2026-06). What it refuses comes back as `invalid_media`.
 */
const MEDIA: Readonly<Record<string, [method: string, field: string]>> = {
  jpg: ['sendPhoto', 'photo'],
  jpeg: ['sendPhoto', 'photo'],
  png: ['sendPhoto', 'photo'],
  webp: ['sendPhoto', 'photo'],
  gif: ['sendAnimation', 'animation'],
  mp4: ['sendVideo', 'video'],
  mp3: ['sendAudio', 'audio'],
  m4a: ['sendAudio', 'audio'],
  ogg: ['sendVoice', 'voice'],
  oga: ['sendVoice', 'voice'],
};
const DOCUMENT: [string, string] = ['sendDocument', 'document'];

const parseMode = z.enum(['HTML', 'MarkdownV2', 'Markdown']);

class TelegramGateway implements Gateway {
  private readonly api: ProviderApi;

  constructor(private readonly deps: GatewayDeps) {
    this.api = new ProviderApi(deps, RULES);
  }

  validate(message: OutboundMessage, _settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const { text, media } = (message as OutboundMessage<'telegram'>).content;
    const issues: ValidationIssue[] = [];
    const refuse = (field: string, code: string, what: string): void =>
      void issues.push({ field, code, message: what });
    if (media === undefined && !text) refuse('message', 'required', 'must not be empty');
    if (media !== undefined && text !== undefined)
      refuse('message', 'conflict', 'Telegram takes a text or a file with a caption');
    if (text !== undefined && text.length > MAX_TEXT)
      refuse('message', 'too_long', `Telegram takes at most ${MAX_TEXT} characters`);
    if ((media?.caption ?? '').length > MAX_CAPTION)
      refuse('media.caption', 'too_long', `Telegram takes captions of at most ${MAX_CAPTION} characters`);
    return issues;
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const { to, content } = message as OutboundMessage<'telegram'>;
    const mode = content.parse_mode ?? ctx.settings.default_parse_mode;
    const options = {
      ...(mode !== undefined && { parse_mode: mode }),
      ...(content.disable_notification !== undefined && { disable_notification: content.disable_notification }),
    };
    const { media, text } = content;
    const [method, field] = media === undefined ? ['sendMessage', 'text'] : mediaMethod(media.url);
    const body = {
      [field]: media === undefined ? text : asUri(media.url),
      ...(media?.caption !== undefined && { caption: media.caption }),
      ...options,
    };
    let answer = await this.call(method, { chat_id: chatId(to), ...body }, ctx, 'send');
    const newChat = movedTo(answer);
    // The group lives on as a supergroup; the refused request has sent nothing.
    if (newChat !== undefined) answer = await this.call(method, { chat_id: newChat, ...body }, ctx, 'send');
    const { response, json } = answer;
    if (json?.ok !== true) throw this.refusal(answer, ctx);
    const result = json.result as { message_id?: unknown; chat?: { id?: unknown } | null } | null | undefined;
    const id = textOf(result?.message_id);
    if (id === undefined) throw this.api.unreadable(response);
    // Message ids count within a chat; `@channel` has an id too.
    return { externalId: `${textOf(result?.chat?.id) ?? String(newChat ?? to)}:${id}` };
  }

  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.api.health(async () => {
      const answer = await this.call('getMe', undefined, ctx, 'read');
      if (answer.json?.ok !== true) throw this.refusal(answer, ctx);
      return undefined;
    });
  }

  /** Nothing that waits at Telegram is dropped: it may have come while nobody listened. */
  async subscribe(ctx: GatewayContext): Promise<void> {
    const body = {
      url: ctx.callbackUrl('events'),
      allowed_updates: ALLOWED_UPDATES,
      secret_token: webhookSecret({ credentials: ctx.credentials, made: ctx.callbackToken }).reveal(),
    };
    const answer = await this.call('setWebhook', body, ctx, 'read');
    if (answer.json?.ok === true) return;
    const refused = this.refusal(answer, ctx);
    // What is not in Telegram's form says nothing of the bot: a proxy answers, or a stand-in that knows no webhooks. That may pass.
    if (answer.json?.ok === false || refused.class !== 'config') throw refused;
    throw new GatewayError({ class: 'transient', code: refused.code, message: refused.message });
  }

  private async call(method: string, body: object | undefined, ctx: GatewayContext, effect: 'send' | 'read') {
    // Quirk: the token is part of the path, so a URL of this API must never be shown (core.telegram.org/bots/api#making-requests).
    const token = encodeURIComponent(ctx.credentials.bot_token?.reveal() ?? '').replaceAll('%3A', ':');
    const url = `${this.deps.baseUrl}/bot${token}/${method}`;
    const response = await this.api.call(
      body === undefined
        ? { method: 'GET', url, headers: { accept: 'application/json' } }
        : {
            method: 'POST',
            url,
            headers: { accept: 'application/json', 'content-type': 'application/json' },
            body: JSON.stringify(body),
          },
      ctx,
      effect,
    );
    return { response, json: jsonObject(response.body) };
  }

  private refusal({ response, json }: Answer, ctx: GatewayContext): GatewayError {
    const code = typeof json?.error_code === 'number' ? json.error_code : undefined;
    if (json?.ok !== false || code === undefined) {
      if (response.status < 300) return this.api.unreadable(response);
      return this.api.refusal(response, ctx, { text: textOf(json?.description) });
    }
    const description = textOf(json.description) ?? '';
    // The body's code is the status that counts, should they differ.
    return this.api.refusal({ ...response, status: code }, ctx, {
      code: String(code),
      row: telegramErrorKey(code, description),
      text: description,
      retryAfterMs: retryAfterMs(json),
    });
  }
}

interface Answer {
  response: HttpResponse;
  json: Record<string, unknown> | undefined;
}

function parametersOf(json: Record<string, unknown> | undefined): Record<string, unknown> {
  const parameters = json?.parameters;
  return typeof parameters === 'object' && parameters !== null ? (parameters as Record<string, unknown>) : {};
}

function retryAfterMs(json: Record<string, unknown>): number | undefined {
  const seconds = parametersOf(json).retry_after;
  if (typeof seconds !== 'number' || !(seconds >= 0)) return undefined;
  return Math.ceil(Math.min(seconds, MAX_RETRY_AFTER_SECONDS) * 1000);
}

function movedTo({ json }: Answer): number | undefined {
  const id = parametersOf(json).migrate_to_chat_id;
  return json?.ok === false && typeof id === 'number' && Number.isSafeInteger(id) ? id : undefined;
}

/** Chats have integers for ids (52 bits), channels may go by name. */
function chatId(to: string): number | string {
  return /^-?\d+$/.test(to) && Number.isSafeInteger(Number(to)) ? Number(to) : to;
}

function mediaMethod(url: string): [string, string] {
  const ending = /\.([A-Za-z0-9]+)$/.exec(URL.parse(url)?.pathname ?? '')?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(MEDIA, ending) ? MEDIA[ending]! : DOCUMENT;
}

/** Telegram, by a bot of the tenant's. */
export const telegramBot: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'telegram_bot',
  channel: 'telegram',
  slug: 'telegram',
  aliases: [],
  title: 'Telegram',
  docsUrl: 'https://core.telegram.org/bots/api',
  baseUrl: { env: 'TELEGRAM_BASE_URL', default: 'https://api.telegram.org' },
  settings: z.strictObject({
    default_parse_mode: parseMode.optional().meta({
      description: 'How formatting is written in texts whose request does not say. Absent: plain text.',
      example: 'HTML',
    }),
  }),
  credentials: {
    bot_token: {
      description: 'Token of the bot, as @BotFather gives it: one word, without a slash.',
      secret: true,
      required: true,
      // It is a part of the path.
      pattern: /^[\x21-\x2e\x30-\x7e]+$/,
      example: '123456789:AAExample-Token_0123456789abcdefghi',
    },
    webhook_secret: {
      description:
        'Secret that Telegram repeats with each update, 1 to 256 letters, digits, _ and -. Absent: UniMsg makes one.',
      secret: true,
      required: false,
      pattern: /^[A-Za-z0-9_-]{1,256}$/,
      example: 'a-long-random-secret_0123456789',
    },
  },
  capabilities: {
    status: 'none',
    inbound: true,
    media: true,
    templates: false,
    idempotency: false,
    lookup: false,
    maxBodyLength: MAX_TEXT,
  },
  // Quirk: about 30 messages a second in all, one a second in a chat and 20 a minute in a group, all of it approximate (core.telegram.org/bots/faq, 2026-11).
  limits: { defaultPerSecond: 30, timeoutMs: 15_000, window: 50 },
  create: (deps) => new TelegramGateway(deps),
  callbacks: { events: telegramUpdates, inbound: telegramUpdates, status: telegramUpdates },
  statuses: {},
  errors: TELEGRAM_ERRORS,
  simulator: telegramSimulator,
});
