import { createHash, createHmac } from 'node:crypto';
import type { CallbackRequest, CallbackSecrets } from '../../../gateway/contracts/callback';
import { InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import { verifyUrlToken } from '../../../gateway/contracts/url-token';
import { equalInConstantTime } from '../../../kernel/constant-time';
import type { FormField } from '../../../kernel/form';
import { decodeForm, formValue } from '../../../kernel/form';

// Own code, not @vonage/jwt and @vonage/sms: their checks throw on numbers in JSON, are not constant-time and take any algorithm of the header.

/** How an account signs; `md5hash` is a plain hash of text and secret, the others are HMACs. */
export const VONAGE_SIGNATURE_METHODS = ['md5hash', 'md5', 'sha1', 'sha256', 'sha512'] as const;
export type VonageSignatureMethod = (typeof VONAGE_SIGNATURE_METHODS)[number];

// Quirk: accounts sign with md5hash until somebody changes that in the dashboard
// (developer.vonage.com/en/getting-started/concepts/signing-messages, 2026-11).
/**
 * What a config that names no method takes. Without md5hash the callbacks of an account as it comes would all be refused; without the secret MD5 opens
 * nothing but collisions, for which Vonage would have to sign a stranger's text. The others are taken when they are named.
 */
const UNNAMED_METHODS: readonly VonageSignatureMethod[] = ['sha256', 'sha512', 'md5hash'];

/** A method in any spelling: as the dashboard has it (`sha256`, `MD5 hash`) or the SDKs (`SHA256HMAC`). Undefined: none that there is. */
export function vonageMethod(text: string): VonageSignatureMethod | undefined {
  const word = text.toLowerCase().replaceAll(/[ _-]/g, '');
  const plain = word.replace('hmac', '');
  return VONAGE_SIGNATURE_METHODS.find((method) => method === plain);
}

// Quirk: Vonage repeats a callback for up to 72 h, and does not say whether a repeat has a new time stamp
// (api.support.vonage.com 226572227, 2026-11). So that long a stamp counts; repeats are dropped by their event id.
const OLDEST_MS = 72 * 3600 * 1000;
const AHEAD_MS = 5 * 60 * 1000;

/** What UniMsg adds to callback URLs. A GET has it beside Vonage's own parameters. */
const OWN_PARAMETERS = new Set(['message_id', 'token']);

/**
 * `sig` of a callback: over `&name=value` of every other parameter, sorted by name, with `&` and `=` in values made `_`
 * (developer.vonage.com/en/getting-started/concepts/signing-messages).
 */
export function vonageSig(method: VonageSignatureMethod, secret: string, fields: readonly FormField[]): string {
  const text = [...fields]
    .filter(([name]) => name !== 'sig')
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `&${name}=${value.replaceAll(/[&=]/g, '_')}`)
    .join('');
  if (method === 'md5hash')
    return createHash('md5')
      .update(text + secret)
      .digest('hex');
  return createHmac(method, secret).update(text).digest('hex');
}

/** `Authorization` of a signed webhook: an HS256 token that names the hash of the body. */
export function vonageBearer(secret: string, claims: Readonly<Record<string, unknown>>, body: string | Buffer): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const payload = encode({ ...claims, payload_hash: createHash('sha256').update(body).digest('hex') });
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${payload}`;
  return `Bearer ${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/**
 * With a signature secret in the config: a signed token over the body, or `sig` among the parameters. Without one: the token in the URL.
 * @throws InvalidSignature
 */
export function verifyVonage(request: CallbackRequest, secrets: CallbackSecrets, now: number): void {
  const secret = secrets.credentials.signature_secret?.reveal();
  if (!secret) {
    verifyUrlToken(request, secrets);
  } else if (request.headers.authorization?.startsWith('Bearer ')) {
    verifyBearer(request, request.headers.authorization.slice(7), secret, secrets, now);
  } else {
    verifySig(request, secret, secrets, now);
  }
  const account = formValue(vonageFields(request), 'api-key');
  if (account !== undefined && account !== secrets.credentials.api_key?.reveal()) {
    throw new InvalidSignature('the callback is for another account');
  }
}

const parsed = new WeakMap<CallbackRequest, FormField[]>();

/** The callback's own parameters: of the query, the form or the flat JSON body. Vonage sends any of them. Decoded once a request. */
export function vonageFields(request: CallbackRequest): FormField[] {
  let fields = parsed.get(request);
  if (fields === undefined) {
    fields = readFields(request);
    parsed.set(request, fields);
  }
  return fields;
}

function readFields(request: CallbackRequest): FormField[] {
  if (request.method === 'GET') return [...request.query];
  const text = request.rawBody.toString('utf8');
  const type = request.headers['content-type'] ?? '';
  if (!type.includes('json') && !text.trimStart().startsWith('{')) return decodeForm(text);
  const fields: FormField[] = [];
  for (const [name, value] of Object.entries(jsonObject(request.rawBody) ?? {})) {
    const plain = typeof value === 'boolean' ? String(value) : textOf(value);
    if (plain !== undefined) fields.push([name, plain]);
  }
  return fields;
}

function verifySig(request: CallbackRequest, secret: string, secrets: CallbackSecrets, now: number): void {
  const fields = vonageFields(request);
  const sig = formValue(fields, 'sig')?.toLowerCase();
  if (!sig) throw new InvalidSignature('the callback is not signed');
  const named = secrets.credentials.signature_method?.reveal();
  const wanted = named === undefined ? undefined : vonageMethod(named);
  if (named !== undefined && wanted === undefined) throw new InvalidSignature('the config names no known method');
  // Quirk: the documents do not say whether parameters that the URL had before are signed with a GET; both are tried.
  const own = fields.filter(([name]) => !OWN_PARAMETERS.has(name));
  const candidates = own.length === fields.length ? [fields] : [own, fields];
  const valid = (wanted ? [wanted] : UNNAMED_METHODS).some((method) =>
    candidates.some((candidate) => equalInConstantTime(vonageSig(method, secret, candidate), sig)),
  );
  if (!valid) throw new InvalidSignature('the sig does not match');
  const stamp = formValue(fields, 'timestamp') ?? '';
  if (!/^\d{1,12}$/.test(stamp)) throw new InvalidSignature('the timestamp is missing');
  refuseStale(Number(stamp) * 1000, now);
}

function verifyBearer(
  request: CallbackRequest,
  token: string,
  secret: string,
  secrets: CallbackSecrets,
  now: number,
): void {
  // The token says nothing of the query, so a GET would be proved in no part.
  if (request.method === 'GET') throw new InvalidSignature('a token cannot prove a GET');
  const [header, payload, signature, ...rest] = token.split('.');
  if (!header || !payload || !signature || rest.length > 0) throw new InvalidSignature('the token is malformed');
  const expected = createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url');
  if (!equalInConstantTime(expected, signature.replace(/=+$/, '')))
    throw new InvalidSignature('the token does not match');
  if (jsonObject(Buffer.from(header, 'base64url'))?.alg !== 'HS256')
    throw new InvalidSignature('the token is not HS256');
  const claims = jsonObject(Buffer.from(payload, 'base64url')) ?? {};
  const bodyHash = createHash('sha256').update(request.rawBody).digest('hex');
  if (!equalInConstantTime(bodyHash, textOf(claims.payload_hash)?.toLowerCase() ?? '')) {
    throw new InvalidSignature('the token is for another body');
  }
  if (typeof claims.iat !== 'number') throw new InvalidSignature('the token has no time');
  refuseStale(claims.iat * 1000, now);
  if (typeof claims.exp === 'number' && claims.exp * 1000 < now) throw new InvalidSignature('the token is out of date');
  if (claims.api_key !== undefined && claims.api_key !== secrets.credentials.api_key?.reveal()) {
    throw new InvalidSignature('the callback is for another account');
  }
}

function refuseStale(at: number, now: number): void {
  if (at < now - OLDEST_MS || at > now + AHEAD_MS) throw new InvalidSignature('the time stamp is too far off');
}
