import { createHash, createHmac } from 'node:crypto';
import { validateRequest } from 'twilio/lib/webhooks/webhooks';
import type { CallbackRequest, CallbackSecrets } from '../../contracts/callback';
import { InvalidSignature } from '../../contracts/gateway-error';
import { equalInConstantTime } from '../../../kernel/constant-time';
import type { FormField } from '../../../kernel/form';
import { decodeForm, formValue } from '../../../kernel/form';
import { asUri } from '../../../kernel/uri';

// The usual case is computed here, once per callback; the twilio package's own check, which tries up to six spellings of the URL at one HMAC
// each, is asked only when that does not match.

// Quirk: Twilio tries a callback again only after connection trouble, once, unless the URL's fragment asks for more: 5 tries, on every kind of
// failure (twilio.com/docs/usage/webhooks/webhooks-connection-overrides, 2026-11). The fragment is not sent to us.
const CALLBACK_OVERRIDES = '#rc=5&rp=all';

/** A callback URL as Twilio is told it. One with a fragment says itself how often it is tried. */
export function withOverrides(url: string): string {
  return url.includes('#') ? url : url + CALLBACK_OVERRIDES;
}

/**
 * `X-Twilio-Signature`: base64 of HMAC-SHA1 under the auth token, over the URL as Twilio calls it and every form field, sorted by name, name
 * and value joined without separators. A repeated name gives each of its distinct values, sorted (twilio.com/docs/usage/security).
 */
export function twilioSignature(authToken: string, url: string, fields: readonly FormField[]): string {
  return createHmac('sha1', authToken).update(signedText(url, fields)).digest('base64');
}

/** @throws InvalidSignature */
export function verifyTwilio(request: CallbackRequest, secrets: CallbackSecrets): void {
  const token = secrets.credentials.auth_token?.reveal();
  if (!token) throw new InvalidSignature('the config has no auth token');
  const given = request.headers['x-twilio-signature'];
  if (!given) throw new InvalidSignature('the X-Twilio-Signature header is missing');
  const bodyHash = request.query.get('bodySHA256');
  const fields = bodyHash === null ? formFields(request) : [];
  if (!matches(token, given, calledUrls(request, secrets), fields)) {
    throw new InvalidSignature('the signature does not match');
  }
  if (bodyHash !== null) {
    const actual = createHash('sha256').update(request.rawBody).digest('hex');
    if (!equalInConstantTime(actual, bodyHash.toLowerCase()))
      throw new InvalidSignature('the body hash does not match');
    return;
  }
  // A token that two accounts share (by mistake) must not let one speak for the other.
  const account = formValue(fields, 'AccountSid');
  if (account !== undefined && account !== secrets.credentials.account_sid?.reveal()) {
    throw new InvalidSignature('the callback is for another account');
  }
}

const parsed = new WeakMap<CallbackRequest, FormField[]>();

/** The callback's fields: of the form, or none for a GET, whose query is signed as part of the URL. Decoded once a request. */
export function formFields(request: CallbackRequest): FormField[] {
  let fields = parsed.get(request);
  if (fields === undefined) {
    fields = request.method === 'GET' ? [] : decodeForm(request.rawBody.toString('utf8'));
    parsed.set(request, fields);
  }
  return fields;
}

function signedText(url: string, fields: readonly FormField[]): string {
  const sorted = [...fields].sort(byNameThenValue);
  let text = url;
  for (let i = 0; i < sorted.length; i++) {
    const [name, value] = sorted[i]!;
    const previous = i > 0 ? sorted[i - 1]! : undefined;
    if (previous === undefined || previous[0] !== name || previous[1] !== value) text += name + value;
  }
  return text;
}

function byNameThenValue([nameA, valueA]: FormField, [nameB, valueB]: FormField): number {
  if (nameA !== nameB) return nameA < nameB ? -1 : 1;
  return valueA < valueB ? -1 : valueA > valueB ? 1 : 0;
}

/** Where Twilio may have been told to call: us, or the tenant's own address, which hands the request on. */
function calledUrls(request: CallbackRequest, secrets: CallbackSecrets): string[] {
  const own = ownStatusCallback(secrets.settings);
  return own === undefined ? [request.publicUrl] : [request.publicUrl, own];
}

/**
 * The tenant's own address for status callbacks, as it goes to Twilio: in ASCII, as a URI has to be. Undefined when the config has none.
 */
export function ownStatusCallback(settings: Readonly<Record<string, unknown>>): string | undefined {
  const own = settings.status_callback_url;
  return typeof own === 'string' ? asUri(own) : undefined;
}

function matches(token: string, given: string, urls: readonly string[], fields: readonly FormField[]): boolean {
  const bare = urls.map((url) => url.replace(/#.*$/s, ''));
  // Quirk: whether the fragment is signed along is not documented (2026-11); what stands in for Twilio may sign the URL exactly as it was told it.
  const spellings = [...bare, ...urls.map(withOverrides)];
  if (spellings.some((url) => equalInConstantTime(twilioSignature(token, url, fields), given))) return true;
  // A null prototype, so that a field named __proto__ is one like any other.
  const params = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of fields) {
    const before = params[name];
    params[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  // Quirk: with and without the standard port, and with an escaped query, depending on which of Twilio's back ends calls (twilio-node, 2026-11).
  return bare.some((url) => validateRequest(token, given, url, params));
}
