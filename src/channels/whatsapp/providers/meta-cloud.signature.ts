import { createHmac } from 'node:crypto';
import type { CallbackAnswer, CallbackRequest, CallbackSecrets } from '../../../gateway/contracts/callback';
import { InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { equalInConstantTime } from '../../../kernel/constant-time';

const LONGEST_CHALLENGE = 1024;

/** `X-Hub-Signature-256`: `sha256=` and the hexadecimal HMAC-SHA256 of the raw body under the app secret. */
export function metaSignature(appSecret: string, body: string | Buffer): string {
  return `sha256=${createHmac('sha256', appSecret).update(body).digest('hex')}`;
}

/** @throws InvalidSignature */
export function verifyMeta(request: CallbackRequest, { credentials }: CallbackSecrets): void {
  const secret = credentials.app_secret?.reveal();
  if (!secret) throw new InvalidSignature('the config has no app secret');
  const given = request.headers['x-hub-signature-256'];
  if (!given) throw new InvalidSignature('the X-Hub-Signature-256 header is missing');
  // The bytes as they came: Meta signs a spelling of the JSON (escaped Unicode) that a parser would not give back.
  if (request.method !== 'POST' || !equalInConstantTime(metaSignature(secret, request.rawBody), given))
    throw new InvalidSignature('the signature does not match');
}

/**
 * Meta asks by GET whether a URL is ours, each time the URL or the token is edited, and wants `hub.challenge` back as plain text.
 * @throws InvalidSignature when the token is not the config's
 */
export function answerMetaChallenge(request: CallbackRequest, secrets: CallbackSecrets): CallbackAnswer | undefined {
  if (request.method !== 'GET' || request.query.get('hub.mode') === null) return undefined;
  const expected = secrets.credentials.webhook_verify_token?.reveal();
  if (!expected) throw new InvalidSignature('the config has no verify token');
  const given = request.query.get('hub.verify_token') ?? '';
  if (!equalInConstantTime(given, expected)) throw new InvalidSignature('the verify token does not match');
  const challenge = request.query.get('hub.challenge') ?? '';
  if (request.query.get('hub.mode') !== 'subscribe' || challenge === '' || challenge.length > LONGEST_CHALLENGE)
    throw new InvalidSignature('the question is not one of Meta’s');
  return { status: 200, contentType: 'text/plain; charset=utf-8', body: challenge };
}
