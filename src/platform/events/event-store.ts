import { newId } from '../../kernel/ids';
import { statement, type Transaction } from '../database/database';

/** Every event that a client can subscribe to. */
export const EVENT_TYPES = [
  'message.sent',
  'message.delivered',
  'message.read',
  'message.undelivered',
  'message.failed',
  'message.expired',
  'message.canceled',
  'email.opened',
  'email.clicked',
  'email.bounced',
  'email.complained',
  'email.unsubscribed',
  'inbound.received',
  'config.error',
  'config.recovered',
  'alert.raised',
  'alert.cleared',
  'usage.report',
  'usage.quota_warning',
  'usage.quota_exceeded',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** A fact to be told. `data` is what the client gets: never a secret. */
export interface NewEvent {
  clientId: string;
  type: EventType;
  /** Milliseconds since the epoch: the provider's clock where it has one. */
  occurredAt: number;
  data: object;
  messageId?: string;
  /** Provider key, for the time line of a message. */
  gateway?: string;
  /** Made here when missing. One fact has one id for ever: retries and replays carry the same. */
  id?: string;
}

const INSERT = statement(
  'events.insert',
  `INSERT INTO events (id, created_at, client_id, type, message_id, occurred_at, gateway, data)
   SELECT e.id, now(), e.client_id, e.type, e.message_id, to_timestamp(e.occurred_at / 1000.0), e.gateway, e.data
   FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::text[], $7::jsonb[])
     AS e(id, client_id, type, message_id, occurred_at, gateway, data)`,
);

/** Tells who waits for events, in this process, that some were committed. A hint: readers also look by themselves. */
export class EventSignal {
  private readonly listeners = new Set<(clientIds: Iterable<string>) => void>();

  /** Answers how to stop listening. */
  onCommitted(listener: (clientIds: Iterable<string>) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  committed(clientIds: Iterable<string>): void {
    for (const listener of this.listeners) listener(clientIds);
  }
}

/** Writes events in the transaction of the change that they tell of. Call `EventSignal.committed` after the commit. */
export class EventStore {
  constructor(readonly signal: EventSignal) {}

  async insert(tx: Transaction, events: readonly NewEvent[]): Promise<void> {
    if (events.length === 0) return;
    await tx.execute(INSERT, [
      events.map((event) => event.id ?? newId('event')),
      events.map((event) => event.clientId),
      events.map((event) => event.type),
      events.map((event) => event.messageId ?? null),
      events.map((event) => event.occurredAt),
      events.map((event) => event.gateway ?? null),
      events.map((event) => JSON.stringify(event.data)),
    ]);
  }
}
