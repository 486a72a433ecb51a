import type { CallbackDefinition, CallbackRequest, NormalizedEvent } from '../../gateway/contracts/callback';
import { storableText } from '../../kernel/storable-text';

/** Longest ids that are kept; they are in indexes, and no provider's are near it. */
const LONGEST_ID = 512;

/** Whether an id out of a callback can be one that is stored. */
export function isPossibleId(id: string): boolean {
  return id.length <= LONGEST_ID && storableText(id) === id;
}

/**
 * What a verified callback says, fit to be stored: a provider's texts may hold what PostgreSQL cannot keep.
 * @throws Error when it cannot be read
 */
export function readCallback(callback: CallbackDefinition, request: CallbackRequest): NormalizedEvent[] {
  return callback.parse(request).map((event) => {
    const clean = storable(event) as NormalizedEvent;
    for (const id of [clean.eventId, clean.externalId, clean.messageId])
      if (id !== undefined && !isPossibleId(id)) throw new Error('an id in the callback is too long');
    return clean;
  });
}

function storable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [storableText(name), storable(member)]));
}
