import { errorRows } from '../../../gateway/contracts/error-rows';
import type { ErrorRow } from '../../../gateway/contracts/gateway-error';

/** Google asks for a minute where it does not say (firebase.google.com/docs/cloud-messaging/scale-fcm, 2026-11). */
const QUOTA_PAUSE_MS = 60_000;

/** The row of an INVALID_ARGUMENT that is about the device token. */
export const INVALID_TOKEN_ROW = 'INVALID_ARGUMENT message.token';
/** The row of a quota that is of one device or topic. */
export const TARGET_QUOTA_ROW = 'QUOTA_EXCEEDED target';

/**
 * FCM's errors, by `errorCode` of the FcmError in `details`, else by the canonical `status`, as Google's own SDK reads them; the last ones are
 * OAuth's. Names after firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode (2026-11); the classes are ours.
 *
 * Quirk: the HTTP status is the same for a dead token and for a wrong project (404), so only these words count.
 */
export const FCM_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...errorRows(
    { class: 'recipient_permanent', code: 'unregistered_device' },
    { UNREGISTERED: 'The device token is no longer registered: the app is gone, or the token has expired' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'invalid_device_token' },
    { [INVALID_TOKEN_ROW]: 'The device token is not valid' },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'sender_mismatch' },
    { SENDER_ID_MISMATCH: 'The device token belongs to another project' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_request' },
    { INVALID_ARGUMENT: 'A field of the message is not valid, or the message is too large' },
  ),
  // For devices of one platform only: the account is not at fault.
  ...errorRows(
    { class: 'config', code: 'push_certificate_refused', scope: 'sender' },
    {
      THIRD_PARTY_AUTH_ERROR: 'The APNs key or the web push key of the project was refused',
      APNS_AUTH_ERROR: 'The APNs key of the project was refused',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'bad_credentials' },
    {
      UNAUTHENTICATED: 'The access token was refused',
      PERMISSION_DENIED: 'The service account may not send for this project, or the API is not enabled',
      invalid_grant: 'The service account or its key was refused',
      invalid_client: 'The service account was refused',
      unauthorized_client: 'The service account may not have access tokens',
      invalid_scope: 'The service account may not have this scope',
      invalid_request: 'The request for an access token was refused',
      unsupported_grant_type: 'The request for an access token was refused',
    },
  ),
  ...errorRows({ class: 'config', code: 'unknown_project' }, { NOT_FOUND: 'The project does not exist' }),
  ...errorRows(
    { class: 'throttled', code: 'throttled', retryAfterMs: QUOTA_PAUSE_MS },
    {
      QUOTA_EXCEEDED: 'The quota of the project is used up for this minute',
      RESOURCE_EXHAUSTED: 'The quota of the project is used up for this minute',
    },
  ),
  ...errorRows(
    { class: 'throttled', code: 'throttled', scope: 'recipient', retryAfterMs: QUOTA_PAUSE_MS },
    { [TARGET_QUOTA_ROW]: 'Too many messages to this device or topic' },
  ),
  ...errorRows(
    { class: 'transient', code: 'provider_unavailable' },
    { UNAVAILABLE: 'The service is overloaded', UNSPECIFIED_ERROR: 'No more is known of the error' },
  ),
  ...errorRows({ class: 'ambiguous', code: 'provider_error' }, { INTERNAL: 'Internal server error' }),
});
