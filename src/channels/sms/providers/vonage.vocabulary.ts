import type { ErrorClass, ErrorRow } from '../../../gateway/contracts/gateway-error';
import { rowOf } from '../../../gateway/contracts/provider-answer';
import type { MessageStatus } from '../../../kernel/channel';
import { errorRows } from '../../../gateway/contracts/error-rows';

/** Words of a delivery receipt's `status`. `unknown` tells nothing, so it changes nothing. */
export const VONAGE_STATUSES: Readonly<Record<string, MessageStatus | null>> = Object.freeze({
  accepted: 'sent',
  buffered: 'sent',
  delivered: 'delivered',
  expired: 'undelivered',
  rejected: 'undelivered',
  failed: 'undelivered',
  unknown: null,
});

/** Receipts number their errors from 1 again, so their rows are kept under this prefix. */
const RECEIPT = 'dlr_';

/**
 * Vonage's error codes: the `status` of a message in an SMS API answer by its number, the `err-code` of a delivery receipt with the prefix
 * `dlr_` (developer.vonage.com/en/api-errors/sms and /en/messaging/sms/guides/delivery-receipts, 2026-11). The classes are ours.
 */
export const VONAGE_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...errorRows(
    { class: 'throttled', code: 'throttled', retryAfterMs: 1000 },
    { 1: 'Throttled: faster than the account limit', 10: 'Too many simultaneous connections' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_request' },
    { 2: 'A parameter is missing', 3: 'A parameter is not valid' },
  ),
  ...errorRows(
    { class: 'config', code: 'bad_credentials' },
    {
      4: 'The API key or secret is not valid',
      14: 'The request signature is not valid',
      32: 'A signed request must not hold the API secret',
    },
  ),
  ...errorRows({ class: 'ambiguous', code: 'provider_error' }, { 5: 'Internal error of the platform' }),
  ...errorRows(
    { class: 'recipient_permanent', code: 'invalid_recipient' },
    {
      6: 'The message cannot be processed, for example an unknown number prefix',
      22: 'The network code does not fit the destination',
      33: 'The number is deactivated',
    },
  ),
  ...errorRows({ class: 'recipient_permanent', code: 'recipient_barred' }, { 7: 'The number is barred' }),
  ...errorRows(
    { class: 'config', code: 'account_inactive' },
    { 8: 'The account is barred', 11: 'The account is not enabled for the SMS API' },
  ),
  ...errorRows({ class: 'config', code: 'no_credit' }, { 9: 'The account has no credit' }),
  ...errorRows({ class: 'content_permanent', code: 'invalid_content' }, { 12: 'The message is too long' }),
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed', scope: 'sender' },
    { 15: 'The sender is not allowed', 23: 'The callback URL is not valid' },
  ),
  ...errorRows(
    { class: 'config', code: 'destination_not_allowed', scope: 'country' },
    { 29: 'A demo account sends to listed numbers only' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'recipient_unreachable' },
    {
      [`${RECEIPT}2`]: 'The recipient is absent for the time being',
      [`${RECEIPT}3`]: 'The recipient is absent for good',
      [`${RECEIPT}7`]: 'The handset is busy',
      [`${RECEIPT}12`]: 'The recipient is unreachable',
      [`${RECEIPT}15`]: 'The recipient has no prepaid credit',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'recipient_barred' },
    {
      [`${RECEIPT}4`]: 'The recipient bars the call',
      [`${RECEIPT}13`]: 'The recipient is under age for this content',
      [`${RECEIPT}14`]: 'The carrier blocks the recipient',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'opted_out' },
    { [`${RECEIPT}9`]: 'Illegal number: the recipient has opted out' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'content_filtered' },
    {
      [`${RECEIPT}6`]: 'The carrier rejected the message as spam',
      [`${RECEIPT}10`]: 'The message is illegal',
      [`${RECEIPT}52`]: 'The content filter rejected the message',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed', scope: 'country' },
    {
      [`${RECEIPT}50`]: 'The entity filter rejected the message',
      [`${RECEIPT}51`]: 'The header filter rejected the message',
      [`${RECEIPT}53`]: 'The consent filter rejected the message',
      [`${RECEIPT}54`]: 'Regulation of the destination forbids the message',
    },
  ),
  ...errorRows({ class: 'transient', code: 'no_route' }, { [`${RECEIPT}11`]: 'No route to the recipient' }),
  ...errorRows(
    { class: 'transient', code: 'delivery_failed' },
    {
      [`${RECEIPT}1`]: 'Unknown error at the carrier',
      [`${RECEIPT}5`]: 'The number is with another carrier',
      [`${RECEIPT}8`]: 'Network error at the carrier',
      [`${RECEIPT}99`]: 'General error at the carrier',
    },
  ),
});

/** What the `err-code` of a delivery receipt says; undefined for `0`, which means none. */
export function receiptError(
  code: string | undefined,
): { class: ErrorClass; code: string; providerCode: string; message?: string } | undefined {
  if (code === undefined || code === '' || code === '0') return undefined;
  const row = rowOf(VONAGE_ERRORS, RECEIPT + code);
  return {
    class: row?.class ?? 'ambiguous',
    code: row?.code ?? 'unknown_error',
    providerCode: code,
    ...(row && { message: row.title }),
  };
}
