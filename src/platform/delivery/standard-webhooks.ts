import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { Secret } from '../../kernel/secret';

const PREFIX = 'whsec_';

/** A new signing secret: `whsec_` and the base64 of 32 random bytes. */
export function newSigningSecret(): Secret<string> {
  return new Secret(PREFIX + randomBytes(32).toString('base64'));
}

/** The key that a `whsec_…` secret stands for. Keep it: Node takes ten times as long to sign with bytes as with a key object. */
export function signingKey(secret: Secret<string>): KeyObject {
  const text = secret.reveal();
  const key = Buffer.from(text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text, 'base64');
  if (key.length === 0) throw new Error('a signing secret is empty');
  return createSecretKey(key);
}

/**
 * The three headers of Standard Webhooks. Several keys give several signatures, so that a receiver can change its secret in its own time.
 * @param id the same for every try of the same thing: receivers drop repeats by it
 * @param at when this try is made, milliseconds since the epoch
 */
export function signedHeaders(
  id: string,
  at: number,
  body: string,
  keys: readonly KeyObject[],
): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const timestamp = String(Math.floor(at / 1000));
  const content = `${id}.${timestamp}.${body}`;
  let signature = '';
  for (const key of keys) {
    signature += `${signature && ' '}v1,${createHmac('sha256', key).update(content).digest('base64')}`;
  }
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
}
