import { hash } from 'node:crypto';
import { canonicalJson } from '../../kernel/canonical-json';
import { Problem } from '../../kernel/problem';
import type { SendOptionsDto } from './send-options.dto';

const MAX_AHEAD_MS = 35 * 24 * 3_600_000;
/** Clocks differ: a `send_at` this little in the past means now. */
const CLOCK_TOLERANCE_MS = 60_000;

/** @throws Problem */
export function idempotencyKey(dto: SendOptionsDto, header: string | undefined): string | undefined {
  if (header !== undefined && (header.length < 1 || header.length > 255 || !/^[\x20-\x7e]+$/.test(header))) {
    throw Problem.field('Idempotency-Key', 'invalid_value', 'must be 1 to 255 printable ASCII characters');
  }
  if (dto.idempotency_key !== undefined && header !== undefined && dto.idempotency_key !== header) {
    throw Problem.field('idempotency_key', 'invalid_value', 'differs from the header Idempotency-Key');
  }
  return dto.idempotency_key ?? header;
}

/**
 * Two bodies are the same when they mean the same: member order and white space do not count, nor where the key was given. What a sandbox key sends
 * is another thing than what a real one sends.
 */
export function bodyHash(channel: string, dto: SendOptionsDto, sandboxKey: boolean): Buffer {
  return hash(
    'sha256',
    `${channel}${sandboxKey ? '/sandbox' : ''}\n${canonicalJson(dto, 'idempotency_key')}`,
    'buffer',
  );
}

/** Null: at once. @throws Problem */
export function sendTime(dto: SendOptionsDto, now: number): number | null {
  if (dto.send_at === undefined) return null;
  const at = Date.parse(dto.send_at);
  if (Number.isNaN(at)) throw Problem.field('send_at', 'invalid_value', 'is not a time');
  if (at < now - CLOCK_TOLERANCE_MS) throw Problem.field('send_at', 'in_the_past', 'must not be in the past');
  if (at > now + MAX_AHEAD_MS) throw Problem.field('send_at', 'too_far_ahead', 'must be at most 35 days ahead');
  return at <= now ? null : at;
}

/** Undefined: the client gave none. @throws Problem */
export function expiryTime(dto: SendOptionsDto, start: number): number | undefined {
  if (dto.expires_at === undefined) return undefined;
  const at = Date.parse(dto.expires_at);
  if (Number.isNaN(at)) throw Problem.field('expires_at', 'invalid_value', 'is not a time');
  if (at <= start) throw Problem.field('expires_at', 'in_the_past', 'must be after now, and after send_at');
  if (at > start + MAX_AHEAD_MS)
    throw Problem.field('expires_at', 'too_far_ahead', 'must be at most 35 days after the message is due');
  return at;
}

/** @throws Problem */
export function checkMetadata(metadata: Record<string, string> | undefined): void {
  if (metadata === undefined) return;
  const entries = Object.entries(metadata);
  if (entries.length > 20) throw Problem.field('metadata', 'too_many', 'must have at most 20 members');
  for (const [key, value] of entries) {
    if (key.length < 1 || key.length > 64)
      throw Problem.field(`metadata.${key.slice(0, 64)}`, 'invalid_key', 'must have a key of 1 to 64 characters');
    if (typeof value !== 'string') throw Problem.field(`metadata.${key}`, 'invalid_type', 'must be a string');
    if (value.length > 512) throw Problem.field(`metadata.${key}`, 'too_long', 'must have at most 512 characters');
  }
}
