import type { Channel } from '../../kernel/channel';
import { Problem } from '../../kernel/problem';
import type { Candidate } from '../../gateway/router';
import type { SendOptionsDto } from '../intake/send-options.dto';
import { LONGEST_AFTER_SECONDS } from './fallback-limits';

/** One item of `on_undelivered`, as it is stored. */
export interface PlannedFallback {
  channel: Channel;
  /** In the channel's canonical form. */
  recipient: string;
  afterSeconds: number;
  /** The fields of the channel's send. */
  body: Record<string, unknown>;
  /** Gateways that would be tried now, in order; shown by a dry run. */
  candidates: readonly Candidate[];
}

/** Fields of a send that make no sense in an item: the message that it belongs to has them, or the service sets them. */
const NOT_IN_ITEMS = ['on_undelivered', 'idempotency_key', 'send_at', 'sandbox', 'dry_run'] as const;
/** What an item has of its message unless it says otherwise: by these, clients find what belongs together. */
const INHERITED = ['reference', 'metadata', 'tags'] as const;

/** The outside of an item. @throws Problem naming the field, from the item */
export function readFallbackItem(
  item: unknown,
  message: SendOptionsDto,
): { channel: string; afterSeconds: number; body: Record<string, unknown> } {
  if (typeof item !== 'object' || item === null || Array.isArray(item))
    throw Problem.field('', 'invalid_type', 'must be an object');
  const { channel, after_seconds: afterSeconds, ...body } = item as Record<string, unknown>;
  if (typeof channel !== 'string') throw Problem.field('channel', 'required', 'is required');
  if (afterSeconds === undefined) throw Problem.field('after_seconds', 'required', 'is required');
  if (
    typeof afterSeconds !== 'number' ||
    !Number.isInteger(afterSeconds) ||
    afterSeconds < 1 ||
    afterSeconds > LONGEST_AFTER_SECONDS
  )
    throw Problem.field('after_seconds', 'invalid_value', `must be a whole number from 1 to ${LONGEST_AFTER_SECONDS}`);
  for (const name of NOT_IN_ITEMS)
    if (body[name] !== undefined) throw Problem.field(name, 'not_allowed', 'is not for a fallback');
  for (const name of INHERITED) if (body[name] === undefined && message[name] !== undefined) body[name] = message[name];
  return { channel, afterSeconds, body };
}

/** A refusal of an item, in the words of the request that it is in. */
export function inItem(problem: Problem, index: number): Problem {
  const path = `on_undelivered[${index}]`;
  const errors = (problem.options.errors ?? []).map(({ field, code, message }) => ({
    field: field === '' || field === 'body' ? path : `${path}.${field}`,
    code,
    message: message.startsWith(`${field} `) ? `${path}.${message}` : message,
  }));
  if (errors.length === 0) errors.push({ field: path, code: problem.code, message: problem.detail });
  return new Problem(problem.code, `${path}: ${problem.detail}`, {
    ...problem.options,
    status: problem.status,
    errors,
  });
}
