import { createECDH, createPrivateKey, createPublicKey, hash, sign, verify, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { CallbackRequest, CallbackSecrets } from '../../../gateway/contracts/callback';
import { InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { verifyUrlToken } from '../../../gateway/contracts/url-token';

// Own code, not @sendgrid/eventwebhook: it needs a third elliptic-curve library for what node:crypto does, and looks at no time stamp.

const SIGNATURE_HEADER = 'x-twilio-email-event-webhook-signature';
const TIMESTAMP_HEADER = 'x-twilio-email-event-webhook-timestamp';

// Quirk: SendGrid repeats a callback for 24 h, and does not say whether a repeat is signed anew (twilio.com/docs/sendgrid, event webhook,
// 2026-11). So that long a stamp counts; repeats are dropped by their event id.
const OLDEST_MS = 25 * 3600 * 1000;
const AHEAD_MS = 5 * 60 * 1000;

const keys = new LRUCache<string, KeyObject>({ max: 1000 });

/**
 * Signed Event Webhook: ECDSA on P-256 with SHA-256 over the time stamp of the header and the raw body, in base64 of DER. An account that does
 * not sign (no key in its config) proves its callbacks by the token in their URL.
 * @throws InvalidSignature
 */
export function verifySendgrid(request: CallbackRequest, secrets: CallbackSecrets, now: number): void {
  const publicKey = secrets.credentials.webhook_signing_key?.reveal();
  if (!publicKey) return verifyUrlToken(request, secrets);
  const signature = request.headers[SIGNATURE_HEADER];
  const stamp = request.headers[TIMESTAMP_HEADER];
  if (!signature || !stamp) throw new InvalidSignature('a signature header is missing');
  if (!/^\d{1,12}$/.test(stamp)) throw new InvalidSignature('the time stamp is no number');
  // Decoding drops what is not base64; a signature has one way only to be written.
  const bytes = Buffer.from(signature, 'base64');
  if (bytes.toString('base64') !== signature) throw new InvalidSignature('the signature is not base64');
  const signed = Buffer.concat([Buffer.from(stamp), request.rawBody]);
  const key = keyOf(publicKey);
  if (key === undefined) throw new InvalidSignature('the key in the config cannot be read');
  if (!verify('sha256', signed, key, bytes)) throw new InvalidSignature('the signature does not match');
  const at = Number(stamp) * 1000;
  if (at < now - OLDEST_MS || at > now + AHEAD_MS) throw new InvalidSignature('the time stamp is too far off');
}

/** Headers that prove a body. @param seconds since the epoch */
export function sendgridSignature(
  privateKey: KeyObject,
  seconds: number,
  body: string | Buffer,
): Record<string, string> {
  const signed = Buffer.concat([Buffer.from(String(seconds)), Buffer.from(body)]);
  return {
    [SIGNATURE_HEADER]: sign('sha256', signed, privateKey).toString('base64'),
    [TIMESTAMP_HEADER]: String(seconds),
  };
}

/** Base64 of an SPKI on P-256, as SendGrid shows it, or the same as PEM; undefined for anything else. */
function keyOf(text: string): KeyObject | undefined {
  const known = keys.get(text);
  if (known) return known;
  try {
    const key = createPublicKey({
      key: Buffer.from(text.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64'),
      format: 'der',
      type: 'spki',
    });
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return undefined;
    keys.set(text, key);
    return key;
  } catch {
    return undefined;
  }
}

/** What is wrong with a key that a tenant gives: PEM has lines, anything else has one. */
export function signingKeyFault(text: string): string | undefined {
  return keyOf(text) !== undefined || !/\p{Cc}/u.test(text) ? undefined : 'must be one line, or a P-256 key as PEM';
}

/** A key pair that follows from a text. */
export function keyPairOf(seed: string): { privateKey: KeyObject; publicKey: string } {
  const ecdh = createECDH('prime256v1');
  const secret = hash('sha256', seed, 'buffer');
  ecdh.setPrivateKey(secret);
  const point = ecdh.getPublicKey();
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: secret.toString('base64url'),
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  };
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).toString('base64');
  return { privateKey, publicKey };
}
