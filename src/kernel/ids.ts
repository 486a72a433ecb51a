import { randomInt } from 'node:crypto';
import { uuidv7obj } from 'uuidv7';

/** Every id kind of the contract and of the inside. An id is `<prefix>_<26 characters>`. */
export const ID_PREFIXES = {
  message: 'msg',
  testMessage: 'msg_test',
  config: 'cfg',
  apiKey: 'key',
  event: 'evt',
  webhookEndpoint: 'whe',
  webhookDelivery: 'whd',
  number: 'num',
  inbound: 'inb',
  template: 'tpl',
  notification: 'ntf',
  report: 'rpt',
  providerEvent: 'pev',
  secret: 'sec',
  worker: 'wrk',
  request: 'req',
  audit: 'aud',
  suppression: 'sup',
  alert: 'alr',
  numberReceiver: 'nrc',
  inboundDelivery: 'ind',
  reportSchedule: 'sch',
  erasure: 'ers',
  reportDelivery: 'rdl',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

// Crockford's base 32 in lower case: sorts like the bytes it stands for, and has no letters that read like digits.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const VALUES = new Map([...ALPHABET].map((char, value) => [char, value]));
const BODY = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/**
 * Makes an id that sorts by time: a UUIDv7 (48 bits of milliseconds, then a counter and randomness) written in base 32.
 * Ids made by one process are strictly increasing. `<prefix>_` and 26 characters; a message id has 30 in all.
 */
export function newId(kind: IdKind): string {
  return `${ID_PREFIXES[kind]}_${encode(uuidv7obj().bytes)}`;
}

/** The creation time that an id carries (milliseconds since the epoch), or null when the text is not an id of that kind. */
export function idTime(id: string, kind: IdKind): number | null {
  const prefix = ID_PREFIXES[kind];
  if (id.length !== prefix.length + 27 || !id.startsWith(`${prefix}_`)) return null;
  const body = id.slice(prefix.length + 1);
  if (!BODY.test(body)) return null;
  let time = 0;
  // 130 bits are written for 128, so the first 10 characters hold the 48 bits of time and nothing else.
  for (const char of body.slice(0, 10)) time = time * 32 + VALUES.get(char)!;
  return time;
}

/** The creation time of a message id, real or sandbox; null when it is neither. */
export function messageIdTime(id: string): number | null {
  return idTime(id, 'message') ?? idTime(id, 'testMessage');
}

/** The smallest id of a kind made at or after a time: turns a time range into an id range. */
export function idAt(kind: IdKind, time: number): string {
  let rest = Math.max(0, Math.min(time, 2 ** 48 - 1));
  const chars: string[] = [];
  for (let i = 0; i < 10; i++) {
    chars.push(ALPHABET[rest % 32]!);
    rest = Math.floor(rest / 32);
  }
  return `${ID_PREFIXES[kind]}_${chars.reverse().join('')}${'0'.repeat(16)}`;
}

/** A tenant's id: `<slug>_<16 of a-z0-9>`. The slug is the caller's, already validated. */
export function newClientId(slug: string): string {
  let tail = '';
  for (let i = 0; i < 16; i++) tail += 'abcdefghijklmnopqrstuvwxyz0123456789'[randomInt(36)];
  return `${slug}_${tail}`;
}

function encode(bytes: Uint8Array): string {
  // 16 bytes make 26 characters: 2 leading zero bits, so that the text sorts as the bytes do.
  let text = '';
  let bits = 2;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >>> bits) & 31];
      value &= (1 << bits) - 1;
    }
  }
  return text;
}
