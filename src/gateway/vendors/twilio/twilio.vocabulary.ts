import type { ErrorClass, ErrorRow } from '../../contracts/gateway-error';
import { rowOf } from '../../contracts/provider-answer';
import type { MessageStatus } from '../../../kernel/channel';
import { errorRows } from '../../contracts/error-rows';

/** A daily cap ends within a day; asked again each hour, as nobody tells when. */
const DAILY_CAP_PAUSE_MS = 3600 * 1000;

/** Words of `MessageStatus`. The first ones mean that Twilio has the message and the network does not. */
export const TWILIO_STATUSES: Readonly<Record<string, MessageStatus | null>> = Object.freeze({
  accepted: 'queued',
  scheduled: 'queued',
  queued: 'queued',
  sending: 'queued',
  sent: 'sent',
  partially_delivered: 'sent',
  delivered: 'delivered',
  undelivered: 'undelivered',
  failed: 'failed',
  canceled: 'failed',
  read: 'read',
  receiving: null,
  received: null,
});

/**
 * Twilio's error codes, both those of HTTP answers and those that only callbacks carry (mostly 30xxx). Titles after Twilio's error dictionary
 * (twilio.com/docs/api/errors, 2026-11); the classes are ours.
 */
export const TWILIO_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...errorRows(
    { class: 'config', code: 'bad_credentials' },
    {
      20003: 'Permission denied: account SID or auth token is wrong',
      20006: 'Access denied',
      20008: 'The resource is not accessible with test credentials',
      20403: 'Forbidden',
      20404: 'The account in the path was not found',
      21470: 'The account SID is missing',
      21471: 'The account does not exist',
      21472: 'The account is not active',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'account_inactive' },
    {
      10001: 'The account is not active',
      20005: 'The account is not active',
      20010: 'The account is suspended',
      30002: 'The account is suspended',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'destination_not_allowed', scope: 'country' },
    {
      21408: 'Permission to send to this region is not enabled',
      21608: 'A trial account sends to verified numbers only',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed', scope: 'sender' },
    {
      21212: 'The From number is not valid',
      21407: 'The phone number does not support SMS',
      21601: 'The phone number is not a valid SMS-capable inbound number',
      21603: 'A From number or a Messaging Service is required',
      21606: 'The From number is not valid for this account',
      21607: 'The sandbox number must be used with this account',
      21616: 'The From number matches multiple countries',
      21657: 'The From value is not a valid content type for this channel',
      21659: 'The From number is not a Twilio number or short code',
      21660: 'The From number does not belong to this account',
      21661: 'The From number is not SMS capable',
      21701: 'The Messaging Service does not exist',
      21702: 'The Messaging Service feature is not available',
      21703: 'The Messaging Service has no phone number for this message',
      21704: 'The Messaging Service has no phone number',
      21705: 'The Messaging Service is not valid',
      21708: 'The phone number is not valid for the Messaging Service',
      21709: 'The phone number is not in this account',
      21711: 'The number pool of the Messaging Service is full',
      21712: 'The phone number is with another Messaging Service',
      30018: 'The destination carrier requires sender registration',
      30024: 'The sender is not provisioned by the carrier',
      30032: 'The toll-free number has not been verified',
      30033: 'The US A2P 10DLC campaign is suspended',
      30034: 'The message comes from an unregistered number',
      30035: 'The message comes from a sender in the wrong state',
      30041: 'The sender is not registered for this country',
      30042: 'The sender registration is missing in this country',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'callback_unreachable', scope: 'sender' },
    { 11200: 'Our callback URL could not be retrieved', 11205: 'Our callback URL could not be reached' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'invalid_recipient' },
    {
      21211: 'The To number is not a valid phone number',
      21217: 'The phone number does not appear to be valid',
      21401: 'The phone number is not valid',
      21604: 'A To number is required',
      21614: 'The To number is not a mobile number',
      30005: 'The destination handset is unknown',
      30006: 'The destination is a landline or cannot receive SMS',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'opted_out' },
    { 21610: 'The recipient has opted out of messages from this sender' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'recipient_unreachable' },
    { 30003: 'The destination handset is unreachable', 30004: 'The recipient or carrier blocks messages' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_request' },
    {
      20001: 'A parameter is unknown or not valid',
      20422: 'A parameter is not valid',
      21609: 'The StatusCallback is not a valid URL',
      21624: 'The ValidityPeriod is not valid',
      21626: 'The StatusCallback is not valid',
    },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_content' },
    {
      21602: 'The message body is required',
      21617: 'The message body is longer than 1600 characters',
      21618: 'The message body cannot be sent',
      21620: 'The media URL is not valid',
      21623: 'The media is not valid or too many were given',
      21654: 'The content template was not found',
      21655: 'The content template SID is not valid',
      21656: 'The content variables are not valid',
      21658: 'The content template needs other variables',
      30009: 'A segment of the message is missing',
      30010: 'The price is over the maximum price',
      30019: 'The content is too large for this carrier',
    },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'content_filtered' },
    { 30007: 'The carrier filtered the message', 30450: 'The message was blocked for its content' },
  ),
  ...errorRows(
    { class: 'throttled', code: 'throttled' },
    {
      14107: 'The send rate limit of the sender is exceeded',
      20429: 'Too many requests: the concurrency limit is exceeded',
      30001: 'The queue of the sender is full',
      30022: 'The rate limit of the US A2P 10DLC campaign is exceeded',
    },
  ),
  ...errorRows(
    { class: 'throttled', code: 'queue_full', retryAfterMs: 60_000 },
    { 21611: 'The From number has more than 10 hours of messages in its queue' },
  ),
  ...errorRows(
    { class: 'throttled', code: 'daily_limit', retryAfterMs: DAILY_CAP_PAUSE_MS },
    {
      30023: 'The daily message cap of the US A2P 10DLC brand is reached',
      30027: 'The daily limit of T-Mobile for this sender is reached',
      63038: 'The daily message limit of the account is reached',
    },
  ),
  ...errorRows(
    { class: 'transient', code: 'provider_unavailable' },
    { 20503: 'The service is unavailable', 30017: 'The carrier network is congested' },
  ),
  ...errorRows({ class: 'transient', code: 'no_route' }, { 21612: 'The To number cannot be reached from this sender' }),
  ...errorRows(
    { class: 'transient', code: 'expired_at_provider' },
    { 30036: 'The validity period ended before the message was sent' },
  ),
  ...errorRows(
    { class: 'ambiguous', code: 'provider_error' },
    {
      20409: 'The request conflicts with another one',
      20500: 'Internal server error',
      21619: 'The message could not be created',
      21730: 'An internal error occurred',
      30008: 'Unknown error at the carrier',
      30410: 'The carrier did not answer in time',
    },
  ),
});

/** What an error code in a callback or a message resource says. */
export function twilioError(
  errors: Readonly<Record<string, ErrorRow>>,
  code: string,
): { class: ErrorClass; code: string; providerCode: string; message?: string } {
  const row = rowOf(errors, code);
  return {
    class: row?.class ?? 'ambiguous',
    code: row?.code ?? 'unknown_error',
    providerCode: code,
    ...(row && { message: row.title }),
  };
}
