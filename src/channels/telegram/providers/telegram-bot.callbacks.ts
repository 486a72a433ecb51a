import type {
  CallbackDefinition,
  CallbackRequest,
  CallbackSecrets,
  NormalizedEvent,
} from '../../../gateway/contracts/callback';
import type { GatewayContext } from '../../../gateway/contracts/gateway';
import { InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import { equalInConstantTime } from '../../../kernel/constant-time';

/** Kinds of update that UniMsg asks for; the others are not sent to it. */
export const ALLOWED_UPDATES = ['message', 'channel_post', 'my_chat_member'] as const;

export const SECRET_HEADER = 'x-telegram-bot-api-secret-token';

/** Members of a message that are files, largest photo last. */
const FILES = ['photo', 'animation', 'document', 'video', 'video_note', 'audio', 'voice', 'sticker'] as const;

type Json = Record<string, unknown>;

/** What Telegram repeats with each update: the config's own secret, else the one that UniMsg made. */
export function webhookSecret(
  source: Pick<CallbackSecrets, 'credentials'> & { made: GatewayContext['callbackToken'] },
) {
  return source.credentials.webhook_secret ?? source.made;
}

/** @throws InvalidSignature */
function verify(request: CallbackRequest, secrets: CallbackSecrets): void {
  const expected = webhookSecret({ credentials: secrets.credentials, made: secrets.urlToken }).reveal();
  const given = request.headers[SECRET_HEADER];
  if (!given) throw new InvalidSignature('the X-Telegram-Bot-Api-Secret-Token header is missing');
  if (expected === '' || !equalInConstantTime(given, expected)) throw new InvalidSignature('the secret token is wrong');
}

function parse(request: CallbackRequest): NormalizedEvent[] {
  const update = jsonObject(request.rawBody);
  const id = update?.update_id;
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) throw new Error('Telegram: the update has no update_id');
  const kind = Object.keys(update!).find((name) => name !== 'update_id') ?? 'empty';
  const content = update![kind];
  const base = { eventId: String(id), occurredAt: null, rawWord: kind, sequence: id };
  if (!isObject(content)) return [{ kind: 'ignored', ...base }];
  const event = { ...base, occurredAt: typeof content.date === 'number' ? content.date * 1000 : null };
  const chat = isObject(content.chat) ? content.chat : undefined;
  const chatId = textOf(chat?.id);
  if (kind === 'message' || kind === 'channel_post') {
    if (chatId === undefined) throw new Error('Telegram: the message has no chat');
    // Quirk: joins, pins and other notices of a chat come as messages too, without text and file (core.telegram.org/bots/api#message, 2026-06).
    const media = mediaOf(content);
    const text = textOf(content.text) ?? textOf(content.caption);
    if (text === undefined && media === undefined && !hasPlace(content)) return [{ kind: 'ignored', ...event }];
    return [
      {
        kind: 'inbound',
        ...event,
        from: chatId,
        to: '',
        text: text ?? '',
        detail: inboundDetail(content, chat!, media),
      },
    ];
  }
  if (kind === 'my_chat_member' && chatId !== undefined && chat!.type === 'private') {
    const status = isObject(content.new_chat_member) ? textOf(content.new_chat_member.status) : undefined;
    if (status === 'kicked') {
      return [
        { kind: 'engagement', ...event, type: 'unsubscribed', recipient: chatId, detail: { reason: 'bot_blocked' } },
      ];
    }
  }
  return [{ kind: 'ignored', ...event }];
}

function inboundDetail(message: Json, chat: Json, media: Json | undefined): Record<string, unknown> {
  const from = isObject(message.from) ? message.from : undefined;
  const reply = isObject(message.reply_to_message) ? message.reply_to_message : undefined;
  return {
    message_id: textOf(message.message_id) ?? null,
    chat: pick(chat, ['id', 'type', 'title', 'username']),
    ...(from && { sender: pick(from, ['id', 'is_bot', 'first_name', 'last_name', 'username', 'language_code']) }),
    ...(media && { media: [media] }),
    ...(reply && { reply_to_message_id: textOf(reply.message_id) ?? null }),
    ...(isObject(message.location) && { location: message.location }),
    ...(isObject(message.contact) && { contact: message.contact }),
  };
}

/** The file of a message, by the id that `getFile` takes. */
function mediaOf(message: Json): Json | undefined {
  for (const kind of FILES) {
    const value = message[kind];
    const file: unknown = Array.isArray(value) ? value.at(-1) : value;
    if (isObject(file) && typeof file.file_id === 'string')
      return { type: kind, ...pick(file, ['file_id', 'file_unique_id', 'file_name', 'mime_type', 'file_size']) };
  }
  return undefined;
}

const hasPlace = (message: Json): boolean => isObject(message.location) || isObject(message.contact);

function pick(source: Json, names: readonly string[]): Json {
  return Object.fromEntries(names.flatMap((name) => (source[name] === undefined ? [] : [[name, source[name]]])));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const telegramUpdates: CallbackDefinition = {
  authentication: 'secret_header',
  scheme:
    'X-Telegram-Bot-Api-Secret-Token, the secret_token given to setWebhook: https://core.telegram.org/bots/api#setwebhook',
  // An update does not say which bot it is for: only the URL does, or the secret.
  locate: () => ({}),
  unaddressed: true,
  verify,
  parse,
  // Quirk: an answer whose body holds `method` is taken as an API call, so the body is empty (core.telegram.org/bots/api#making-requests-when-getting-updates).
  answer: { status: 200 },
};
