import type { NormalizedEvent, StatusEvent } from '../../gateway/contracts/callback';

/** One event out of a verified callback, or a verified callback that could not be read (`event` null). */
export interface ReceivedEvent {
  clientId: string;
  configId: string;
  /** Provider key. */
  provider: string;
  kind: string;
  event: NormalizedEvent | null;
  /** Dedupes within a config. */
  eventId: string;
  receivedAt: number;
  /** What is kept of the request besides its body; without secrets. */
  request: object;
  rawBody: Buffer;
}

/** What the event id of a callback begins with that could not be read; a hash of it follows. */
export const UNPARSABLE = 'unparsable:';

/** What a stored callback is: told apart in `GET /v1/provider-events`. */
export type CallbackState = 'matched' | 'unmatched' | 'unmapped' | 'ignored' | 'unparsable';

/** An event that is about to be kept, and the message that it is about as far as that is known. */
export interface StoredItem {
  received: ReceivedEvent;
  messageId: string | null;
  /** The message is there and is the tenant's. */
  known: boolean;
}

/** A status that the provider's table knows. */
export function isReport(
  event: NormalizedEvent | null,
): event is StatusEvent & { status: NonNullable<StatusEvent['status']> } {
  return event?.kind === 'status' && event.status !== null;
}

/** What is about a message, and waits for it when it is not known yet. */
export function isRetried(event: NormalizedEvent | null): boolean {
  return isReport(event) || event?.kind === 'engagement';
}

export function stateOf(event: NormalizedEvent | null, known: boolean): CallbackState {
  if (event === null) return 'unparsable';
  if (event.kind === 'ignored') return 'ignored';
  if (event.kind === 'status' && event.status === null) return 'unmapped';
  return known ? 'matched' : 'unmatched';
}
