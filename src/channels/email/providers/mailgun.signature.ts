import { createHmac, hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { CallbackRequest, CallbackSecrets } from '../../../gateway/contracts/callback';
import { InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import { verifyUrlToken } from '../../../gateway/contracts/url-token';
import { equalInConstantTime } from '../../../kernel/constant-time';

// Quirk: Mailgun repeats a callback for about 8 h, and does not say whether a repeat is signed anew (documentation.mailgun.com, webhooks, 2026-11).
const OLDEST_MS = 12 * 3600 * 1000;
const AHEAD_MS = 5 * 60 * 1000;

// Quirk: what is signed is a time and a token, not the event (documentation.mailgun.com, securing webhooks, 2026-11). So that a signature that
// somebody saw proves nothing else, it stays with the first body that came with it, in this process, while its time counts.
const firstBodies = new LRUCache<string, string>({ max: 100_000, ttl: OLDEST_MS + AHEAD_MS });

/** The `signature` member of a callback: HMAC-SHA256 under the webhook signing key over time stamp and token, in hexadecimal. */
export function mailgunSignature(key: string, timestamp: string, token: string): string {
  return createHmac('sha256', key)
    .update(timestamp + token)
    .digest('hex');
}

/** A signature for one callback. @param seconds since the epoch */
export function signedNow(key: string, seconds: number): { timestamp: string; token: string; signature: string } {
  const timestamp = String(seconds);
  const token = randomBytes(25).toString('hex');
  return { timestamp, token, signature: mailgunSignature(key, timestamp, token) };
}

/**
 * By the signature in the body; without a signing key in the config: by the token in the URL. The body is parsed to find the signature, and
 * nothing else of it is looked at.
 * @throws InvalidSignature
 */
export function verifyMailgun(request: CallbackRequest, secrets: CallbackSecrets, now: number): void {
  const key = secrets.credentials.webhook_signing_key?.reveal();
  if (!key) return verifyUrlToken(request, secrets);
  const given = jsonObject(request.rawBody)?.signature;
  const { timestamp, token, signature } =
    typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {};
  const [stamp, nonce, proof] = [textOf(timestamp), textOf(token), textOf(signature)];
  if (!stamp || !nonce || !proof) throw new InvalidSignature('the callback is not signed');
  if (!/^\d{1,12}$/.test(stamp)) throw new InvalidSignature('the time stamp is no number');
  if (!equalInConstantTime(mailgunSignature(key, stamp, nonce), proof)) {
    throw new InvalidSignature('the signature does not match');
  }
  const at = Number(stamp) * 1000;
  if (at < now - OLDEST_MS || at > now + AHEAD_MS) throw new InvalidSignature('the time stamp is too far off');
  const body = hash('sha256', request.rawBody, 'base64');
  const first = firstBodies.get(proof);
  if (first !== undefined && first !== body) throw new InvalidSignature('the signature was used for another event');
  if (first === undefined) firstBodies.set(proof, body);
}
