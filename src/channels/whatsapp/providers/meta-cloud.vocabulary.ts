import { errorRows } from '../../../gateway/contracts/error-rows';
import type { ErrorClass, ErrorRow } from '../../../gateway/contracts/gateway-error';
import { rowOf } from '../../../gateway/contracts/provider-answer';
import type { MessageStatus } from '../../../kernel/channel';

const HOUR_MS = 3600 * 1000;

/** One business number may write to one person about once in six seconds (error 131056). */
const PAIR_PAUSE_MS = 6000;

/**
 * Words of `statuses[].status`. Quirk: a message that is read at once is never reported delivered, and `played` is how a voice message is read
 * (developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status, 2026-11).
 */
export const META_STATUSES: Readonly<Record<string, MessageStatus | null>> = Object.freeze({
  sent: 'sent',
  delivered: 'delivered',
  read: 'read',
  played: 'read',
  failed: 'failed',
  // The sender deleted it for everybody: what it was before stays.
  deleted: null,
});

const range = (from: number, to: number, title: string): Record<string, string> =>
  Object.fromEntries(Array.from({ length: to - from + 1 }, (_, index) => [String(from + index), title]));

/**
 * Error codes, both of answers and of `errors[]` in webhooks. Titles after Meta's list
 * (developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes, 2026-11); the classes are ours.
 * Quirk: Meta asks to go by the code and not by the HTTP status (whatsapp/support/error-codes, 2026-11).
 */
export const META_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...errorRows(
    { class: 'config', code: 'bad_credentials' },
    {
      0: 'The access token is expired, revoked or lacks a permission',
      104: 'An access token is required',
      190: 'The access token is expired',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'permission_denied' },
    {
      3: 'The app lacks a capability or permission',
      10: 'The permission is not granted or was removed',
      ...range(200, 299, 'The permission is not granted or was removed'),
      131005: 'Access is denied',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'sender_not_found' },
    { 33: 'The business phone number does not exist or was deleted' },
  ),
  ...errorRows(
    { class: 'config', code: 'account_blocked' },
    {
      368: 'The account is blocked for a while for violating a policy',
      131031: 'The account is locked',
      131042: 'The account has a payment problem',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'destination_not_allowed', scope: 'country' },
    {
      130497: 'The business may not write to people in this country',
      131030: 'A test number writes to the numbers of its list only',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed' },
    {
      131037: 'The display name of the number needs approval',
      131045: 'The number is not registered',
      ...range(133000, 133003, 'The registration or PIN of the number is not in order'),
      ...range(133005, 133009, 'The registration or PIN of the number is not in order'),
      133010: 'The number is not registered',
      ...range(133011, 133015, 'The registration or PIN of the number is not in order'),
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'recipient_unreachable' },
    { 131026: 'The recipient is not on WhatsApp, has an old version, or has not accepted the terms' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'invalid_recipient' },
    { 131021: 'The recipient is the sender itself' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'not_delivered_by_policy' },
    { 130472: 'The recipient is in an experiment and gets no marketing messages' },
  ),
  ...errorRows(
    // Not `opted_out`: what is no marketing still arrives.
    { class: 'recipient_permanent', code: 'marketing_opted_out' },
    { 131050: 'The recipient wants no marketing messages from this business' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'window_closed' },
    { 131047: 'The recipient has not written for 24 hours: only a template can be sent' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_request' },
    {
      100: 'A parameter is unknown or misspelt',
      131008: 'A required parameter is missing',
      131009: 'The value of a parameter is not valid',
      135000: 'The message could not be sent because of a parameter',
    },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_content' },
    {
      131051: 'The type of the message is not supported',
      131053: 'The media could not be fetched or is of a kind that is not supported',
    },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_template' },
    {
      132000: 'The number of parameters is not that of the template',
      132001: 'The template does not exist in this language or is not approved',
      132005: 'The text with its parameters is too long',
      132007: 'The template violates a policy',
      132012: 'A parameter does not have the format of the template',
      132015: 'The template is paused for its quality',
      132016: 'The template is disabled for its quality',
      132068: 'The flow is blocked',
      134100: 'Only marketing templates can be sent by this API',
      134102: 'The template cannot be used',
    },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'terms_not_accepted' },
    { 134011: 'The terms for payments have not been accepted' },
  ),
  ...errorRows(
    { class: 'throttled', code: 'throttled' },
    {
      4: 'The app has made too many calls',
      613: 'A rate limit is exceeded',
      80007: 'The business account has reached its rate limit',
      130429: 'The throughput of the number is reached',
      132069: 'The flow is throttled',
    },
  ),
  ...errorRows(
    { class: 'throttled', code: 'pair_rate', scope: 'recipient', retryAfterMs: PAIR_PAUSE_MS },
    { 131056: 'Too many messages from this number to the same recipient' },
  ),
  ...errorRows(
    { class: 'throttled', code: 'spam_limit', retryAfterMs: HOUR_MS },
    { 131048: 'Too many messages of this number were reported as spam' },
  ),
  ...errorRows(
    { class: 'throttled', code: 'recipient_limit', scope: 'recipient', retryAfterMs: 24 * HOUR_MS },
    { 131049: 'The recipient has had enough marketing messages for now' },
  ),
  ...errorRows(
    { class: 'throttled', code: 'registration_limit', retryAfterMs: HOUR_MS },
    { 133016: 'The number was registered and deregistered too often' },
  ),
  ...errorRows(
    { class: 'transient', code: 'provider_unavailable' },
    {
      1: 'Unknown error, possibly at the server',
      2: 'The service is down for a moment',
      131000: 'Something went wrong',
      131016: 'The service is unavailable',
      131057: 'The account is in maintenance',
      133004: 'The server is unavailable for a moment',
      134101: 'The template is not ready everywhere yet',
    },
  ),
  ...errorRows(
    { class: 'transient', code: 'media_unavailable' },
    { 131052: 'The media that the recipient sent could not be fetched' },
  ),
});

/** What an error code in a webhook says. */
export function metaError(
  code: string,
  text: string | undefined,
): { class: ErrorClass; code: string; providerCode: string; message?: string } {
  const row = rowOf(META_ERRORS, code);
  const message = row?.title ?? text;
  return {
    class: row?.class ?? 'ambiguous',
    code: row?.code ?? 'unknown_error',
    providerCode: code,
    ...(message !== undefined && { message }),
  };
}
