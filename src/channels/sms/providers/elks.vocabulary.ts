import type { ErrorRow } from '../../../gateway/contracts/gateway-error';
import type { MessageStatus } from '../../../kernel/channel';
import { errorRows } from '../../../gateway/contracts/error-rows';

/** Words of `status`. `created` is never reported, only shown by look-ups. */
export const ELKS_STATUSES: Readonly<Record<string, MessageStatus | null>> = Object.freeze({
  created: 'queued',
  sent: 'sent',
  delivered: 'delivered',
  failed: 'undelivered',
});

/**
 * 46elks has no error codes: an HTTP status and a short text (46elks.com/docs, 2026-11). The classes are ours. A 400 whose text names the
 * recipient or the sender has a row of its own.
 */
export const ELKS_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_request' },
    { http_400: 'A parameter is missing or not valid' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'invalid_recipient' },
    { http_400_to: 'The number in `to` is not valid' },
  ),
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed', scope: 'sender' },
    { http_400_from: 'The sender in `from` is not valid or not allowed' },
  ),
  ...errorRows({ class: 'config', code: 'bad_credentials' }, { http_401: 'The API username or password is wrong' }),
  ...errorRows({ class: 'config', code: 'no_credit' }, { http_403: 'Not enough credit, or not allowed' }),
  ...errorRows(
    { class: 'config', code: 'wrong_address' },
    {
      http_404: 'There is no such resource',
      http_405: 'The resource does not take this method',
      http_415: 'The resource does not take this content type',
    },
  ),
  ...errorRows({ class: 'throttled', code: 'throttled' }, { http_429: 'Too many requests' }),
  ...errorRows(
    { class: 'ambiguous', code: 'provider_error' },
    {
      http_500: 'Internal error',
      http_502: 'Bad gateway',
      http_503: 'The service is unavailable; whether the message was taken is not said',
      http_504: 'The gateway timed out',
    },
  ),
});

const BEFORE = '\\b(?:invalid|missing|bad|wrong|unknown|key|param(?:eter)?s?|field|value for)[:\\s]+';
const AFTER = '\\s+(?:is|must|param(?:eter)?|number|field|address|value)\\b';
const NAMES = {
  to: new RegExp(`["'\`]to["'\`]|${BEFORE}to\\b|\\bto${AFTER}|\\brecipient\\b`, 'i'),
  from: new RegExp(`["'\`]from["'\`]|${BEFORE}from\\b|\\bfrom${AFTER}|\\bsender\\b`, 'i'),
};

/** The row of a 400 by the field that its text names. Quirk: the text is prose for people, its form is not documented (46elks.com/docs, 2026-11). */
export function rowOfText(text: string): string | undefined {
  return NAMES.to.test(text) ? 'http_400_to' : NAMES.from.test(text) ? 'http_400_from' : undefined;
}
