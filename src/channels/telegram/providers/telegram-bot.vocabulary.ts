import type { ErrorRow } from '../../../gateway/contracts/gateway-error';
import { errorRows } from '../../../gateway/contracts/error-rows';
import { rowOf } from '../../../gateway/contracts/provider-answer';

/**
 * Telegram's refusals. A key is the `error_code` and, where that says too little, words of the `description` in lower case.
 *
 * Quirk: only the description tells one 400 or 403 from another; there are no finer codes (core.telegram.org/bots/api#making-requests and
 * tdlib/telegram-bot-api Client.cpp, 2026-05).
 */
export const TELEGRAM_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...errorRows(
    { class: 'recipient_permanent', code: 'unknown_chat' },
    {
      '400 chat not found': 'The chat does not exist, or the person never started the bot',
      '400 user not found': 'The user does not exist',
      '400 chat_id is empty': 'The chat is missing',
      '400 empty chat_id': 'The chat is missing',
      '400 peer_id_invalid': 'The chat is not valid',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'chat_not_writable' },
    {
      '400 message thread not found': 'The topic of the group does not exist',
      '400 have no rights to send': 'The bot has no right to write in this chat',
      '400 not enough rights': 'The bot has no right to write in this chat',
      '400 topic_closed': 'The topic of the group is closed',
      '400 chat_write_forbidden': 'Nobody may write in this chat',
      '400 group chat was upgraded to a supergroup': 'The group has become a supergroup under another id',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'bot_blocked' },
    { '403 bot was blocked by the user': 'The person has blocked the bot' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'user_deactivated' },
    { '403 user is deactivated': 'The account of the person is deleted' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'bot_not_in_chat' },
    {
      '403 bot was kicked': 'The bot was removed from the chat',
      '403 bot is not a member': 'The bot is not a member of the chat',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'chat_not_started' },
    { "403 bot can't initiate conversation": 'The person has not started the bot' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'recipient_is_bot' },
    { "403 bot can't send messages to bots": 'The recipient is a bot' },
  ),
  // Whatever else is forbidden is so in one chat; a wrong token is 401 or 404.
  ...errorRows(
    { class: 'recipient_permanent', code: 'chat_forbidden' },
    { '403': 'The bot may not write to this chat' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_content' },
    {
      '400 message text is empty': 'The text is empty',
      '400 text is too long': 'The text is too long',
      '400 message is too long': 'The text is too long',
      '400 caption is too long': 'The caption is too long',
      "400 can't parse entities": 'The formatting of the text is not valid',
      '400 unsupported parse_mode': 'The parse mode does not exist',
      '400 reply markup is too long': 'The keyboard is too large',
      '400 button_': 'A button is not valid',
      '400 message to be replied not found': 'The message to reply to does not exist',
      '413': 'The request is too large',
    },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_media' },
    {
      '400 wrong http url': 'The address of the file is not valid',
      '400 failed to get http url content': 'Telegram could not fetch the file',
      '400 wrong type of the web page content': 'The file is not of the kind that its name says',
      "400 can't upload file by url": 'Telegram could not fetch the file',
      '400 wrong file identifier': 'The address of the file is not valid',
    },
  ),
  ...errorRows({ class: 'content_permanent', code: 'request_refused' }, { '400': 'The request was refused' }),
  ...errorRows(
    { class: 'config', code: 'callback_unreachable' },
    { '400 bad webhook': 'Telegram does not accept our callback URL' },
  ),
  ...errorRows(
    { class: 'config', code: 'bad_credentials' },
    { '401': 'The bot token is not valid, or was revoked', '404': 'The bot token is not valid' },
  ),
  ...errorRows(
    { class: 'config', code: 'webhook_conflict' },
    { '409': 'Another program takes the updates of this bot' },
  ),
  // Quirk: a 429 does not say whether the chat or the whole bot is too fast (core.telegram.org/bots/faq, 2026-11).
  ...errorRows(
    { class: 'throttled', code: 'throttled', scope: 'recipient' },
    { '429': 'Too many messages to this chat, or of this bot' },
  ),
  ...errorRows({ class: 'transient', code: 'provider_unavailable' }, { '503': 'The service is unavailable' }),
  ...errorRows(
    { class: 'ambiguous', code: 'provider_error' },
    { '500': 'Internal server error', '502': 'Bad gateway', '504': 'Gateway time-out' },
  ),
});

const BY_WORDS = Object.keys(TELEGRAM_ERRORS)
  .filter((key) => key.includes(' '))
  .map((key) => ({ key, code: Number(key.slice(0, 3)), words: key.slice(4) }));

/** The table's key for an answer; undefined when Telegram says something that is not in it. */
export function telegramErrorKey(errorCode: number, description: string): string | undefined {
  const text = description.toLowerCase();
  const found = BY_WORDS.find(({ code, words }) => code === errorCode && text.includes(words));
  if (found) return found.key;
  return rowOf(TELEGRAM_ERRORS, String(errorCode)) && String(errorCode);
}
