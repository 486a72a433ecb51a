import type {
  CallbackDefinition,
  CallbackRequest,
  InboundEvent,
  NormalizedEvent,
} from '../../gateway/contracts/callback';
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
    const clean = storable(event.kind === 'inbound' ? withOpenEnds(event) : event) as NormalizedEvent;
    for (const id of [clean.eventId, clean.externalId, clean.messageId])
      if (id !== undefined && !isStorableId(id)) throw new Error('an id in the callback is too long');
    return clean;
  });
}

/** A part whose text begins or ends in the middle of a character keeps the half aside, for when the other part is there. */
function withOpenEnds(event: InboundEvent): InboundEvent {
  const { part, text } = event;
  if (part === undefined || text === '') return event;
  const head = text.charCodeAt(0);
  const tail = text.charCodeAt(text.length - 1);
  const opens = isLowSurrogate(head);
  const ends = isHighSurrogate(tail);
  if (!opens && !ends) return event;
  return {
    ...event,
    text: text.slice(opens ? 1 : 0, ends ? -1 : undefined),
    part: { ...part, ...(opens && { head }), ...(ends && { tail }) },
  };
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

function storable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [storableText(name), storable(member)]));
}
