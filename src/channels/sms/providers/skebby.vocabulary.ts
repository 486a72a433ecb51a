import type { ErrorClass, ErrorRow } from '../../../gateway/contracts/gateway-error';
import { errorRows } from '../../../gateway/contracts/error-rows';
import { rowOf } from '../../../gateway/contracts/provider-answer';
import type { MessageStatus } from '../../../kernel/channel';

/** States of a recipient, in reports and look-ups (smsend/REST-API, "Get SMS message state": the same platform; 2026-11). */
export const SKEBBY_STATUSES: Readonly<Record<string, MessageStatus | null>> = Object.freeze({
  WAITING: 'queued',
  SCHEDULED: 'queued',
  SENT: 'sent',
  WAIT4DLVR: 'sent',
  DLVRD: 'delivered',
  TIMEOUT: 'undelivered',
  ERROR: 'failed',
  KO: 'failed',
  TOOM4USER: 'failed',
  TOOM4NUM: 'failed',
  UNKNRCPT: 'failed',
  UNKNPFX: 'failed',
  INVALIDDST: 'failed',
  BLACKLISTED: 'failed',
  INVALIDCONTENTS: 'failed',
  DEMO: 'failed',
  UNKNOWN: null,
});

/**
 * States that tell why a message failed, and HTTP answers, which have no codes: a 400 or an order that was not taken says in words what is
 * wrong, and has a row of its own where they name the recipient, the credit or the sender. The classes are ours.
 */
export const SKEBBY_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...errorRows(
    { class: 'recipient_permanent', code: 'invalid_recipient' },
    {
      UNKNRCPT: 'The recipient is unknown',
      UNKNPFX: 'The prefix of the number is unknown',
      INVALIDDST: 'The number is not valid',
      http_400_recipient: 'The recipient is not valid',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'recipient_blocked' },
    { BLACKLISTED: 'The number is blacklisted' },
  ),
  ...errorRows({ class: 'content_permanent', code: 'invalid_content' }, { INVALIDCONTENTS: 'The text is not allowed' }),
  ...errorRows({ class: 'content_permanent', code: 'invalid_request' }, { http_400: 'The request is not valid' }),
  ...errorRows({ class: 'config', code: 'demo_account' }, { DEMO: 'The account is in demo mode' }),
  ...errorRows({ class: 'config', code: 'no_credit' }, { http_400_credit: 'The account has no credit' }),
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed', scope: 'sender' },
    { http_400_sender: 'The sender is not registered or not allowed' },
  ),
  ...errorRows(
    { class: 'config', code: 'bad_credentials' },
    {
      http_401: 'The user key or token is not valid, also after a new sign-in',
      http_404: 'The user was not found, or the username or password is wrong',
    },
  ),
  ...errorRows(
    { class: 'throttled', code: 'too_many_messages', retryAfterMs: 3600 * 1000 },
    {
      TOOM4USER: 'Too many messages of this user in 24 hours',
      TOOM4NUM: 'Too many messages to this number in 24 hours',
    },
  ),
  ...errorRows({ class: 'throttled', code: 'throttled' }, { http_429: 'Too many requests' }),
  ...errorRows(
    { class: 'transient', code: 'not_delivered' },
    {
      ERROR: 'The message could not be sent',
      KO: 'The network refused the message',
      TIMEOUT: 'The network did not deliver the message within 48 hours',
    },
  ),
  ...errorRows({ class: 'transient', code: 'provider_unavailable' }, { http_503: 'The service is unavailable' }),
  ...errorRows({ class: 'ambiguous', code: 'provider_error' }, { http_500: 'Internal error' }),
});

/** The row of a refusal by what its text names. Quirk: reasons are prose; their wording is not documented (smsend/REST-API, 2026-11). */
export function rowOfReason(text: string | undefined): string {
  if (text === undefined) return 'http_400';
  if (/recipient|destination|phone number/i.test(text)) return 'http_400_recipient';
  if (/credit/i.test(text)) return 'http_400_credit';
  if (/sender|alias|tpoa/i.test(text)) return 'http_400_sender';
  return 'http_400';
}

/** What a recipient's state means; an invented one is null, as is one that tells nothing. */
export function statusOf(word: string): MessageStatus | null | undefined {
  return rowOf(SKEBBY_STATUSES, word.toUpperCase());
}

/** Why a message failed, by its state; undefined for a state that is no failure. */
export function errorOf(
  word: string,
): { class: ErrorClass; code: string; providerCode: string; message: string } | undefined {
  const row = rowOf(SKEBBY_ERRORS, word.toUpperCase());
  return row && { class: row.class, code: row.code, providerCode: word, message: row.title };
}
