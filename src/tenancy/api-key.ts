import { createHash, randomBytes } from 'node:crypto';
import { Secret } from '../kernel/secret';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 32 bytes in base 62. */
const BODY_LENGTH = 43;

/** A new API key: `um_` and 43 characters that stand for 32 random bytes. */
export function newApiKey(): Secret {
  let rest = BigInt(`0x${randomBytes(32).toString('hex')}`);
  let body = '';
  for (let i = 0; i < BODY_LENGTH; i++) {
    body = ALPHABET[Number(rest % 62n)]! + body;
    rest /= 62n;
  }
  return new Secret(`um_${body}`);
}

/** What is kept of a key. */
export function hashApiKey(key: Secret): Buffer {
  return createHash('sha256').update(key.reveal()).digest();
}

/** A new secret for Standard Webhooks signatures: `whsec_` and 32 random bytes in base64. */
export function newSigningSecret(): Secret {
  return new Secret(`whsec_${randomBytes(32).toString('base64')}`);
}
