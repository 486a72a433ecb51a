import type { CallbackDefinition, CallbackRequest, NormalizedEvent } from '../../gateway/contracts/callback';
import { isStorableId, storableText } from '../../kernel/storable-text';

/**
 * What a verified callback says, fit to be stored: a provider's texts may hold what PostgreSQL cannot keep.
 * @throws Error when it cannot be read
 */
export function readCallback(
  callback: CallbackDefinition,
  request: CallbackRequest,
  settings: Readonly<Record<string, unknown>>,
): NormalizedEvent[] {
  return storableEvents(callback.parse(request, settings));
}

/** Events fit to be stored. @throws Error when an id is too long */
export function storableEvents(events: readonly NormalizedEvent[]): NormalizedEvent[] {
  return events.map((event) => {
    const clean = storable(event) as NormalizedEvent;
    for (const id of [clean.eventId, clean.externalId, clean.messageId])
      if (id !== undefined && !isStorableId(id)) throw new Error('an id in the callback is too long');
    return clean;
  });
}

function storable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [storableText(name), storable(member)]));
}
