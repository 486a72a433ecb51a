import type { TelegramContent } from '../../gateway/contracts/gateway';
import { Problem } from '../../kernel/problem';
import type { ChannelDescriptor, PreparedContent } from '../../messaging/channel-registry';
import { SendTelegramDto } from './send-telegram.dto';

/** Chat ids have at most 52 significant bits; those of groups and channels are negative. */
const CHAT_ID = /^-?[1-9]\d{0,15}$/;
const CHANNEL_NAME = /^@[A-Za-z][A-Za-z0-9_]{3,31}$/;
const LONGEST_CAPTION = 1024;

/** Telegram, as intake needs it. */
export const telegramChannel: ChannelDescriptor<SendTelegramDto> = {
  channel: 'telegram',
  dto: SendTelegramDto,
  defaultExpiryMs: 3_600_000,

  prepare(dto: SendTelegramDto): PreparedContent {
    return {
      recipient: chat(dto.to),
      sender: null,
      content: {
        ...bodyOf(dto),
        ...(dto.parse_mode !== undefined && { parse_mode: dto.parse_mode }),
        ...(dto.disable_notification !== undefined && { disable_notification: dto.disable_notification }),
      } satisfies TelegramContent,
      encoding: null,
      segments: null,
      ucs2Characters: [],
    };
  },
};

function chat(to: string | number): string {
  const text = String(to).trim();
  if (CHANNEL_NAME.test(text)) return text;
  if (CHAT_ID.test(text) && Number.isSafeInteger(Number(text))) return text;
  throw Problem.field('to', 'invalid_chat', 'must be a chat id, such as 5005550000 or -1001234567890, or @channel');
}

/** Nothing that was given is left out: with a file, the message is the first part of its caption. */
function bodyOf({ message, media }: SendTelegramDto): Pick<TelegramContent, 'text' | 'media'> {
  if (message !== undefined && message.trim() === '') throw Problem.field('message', 'required', 'must not be blank');
  if (media === undefined) {
    if (message === undefined) throw Problem.field('message', 'required', 'is required, or media in its place');
    return { text: message };
  }
  const caption = [...new Set([message, media.caption].filter((part) => part !== undefined))].join('\n\n');
  if (caption.length > LONGEST_CAPTION) {
    const what = `must be at most ${LONGEST_CAPTION} characters together with the caption`;
    throw Problem.field(message === undefined ? 'media.caption' : 'message', 'too_long', what);
  }
  return { media: { url: media.url, ...(caption !== '' && { caption }) } };
}
