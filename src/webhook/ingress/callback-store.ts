import { Injectable } from '@nestjs/common';
import { GroupCommit } from '../../kernel/group-commit';
import { messageIdTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import type { NormalizedEvent, StatusEvent } from '../../gateway/contracts/callback';
import type { MessageState } from '../../messaging/record/message.types';
import { MessageWriter, type AppliedChanges, type MessageChange } from '../../messaging/record/message-writer';
import { writeParameters } from '../../messaging/record/message-statements';
import { Database, type Transaction, isDatabaseUnavailable } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import { EventSignal } from '../../platform/events/event-store';
import { CallbackEffects, hasEffects, takesLongWay, type CallbackOutcome } from './callback-effects';
import {
  FIND_MESSAGES,
  INSERT,
  rawParameters,
  RETRY_MINUTES,
  STORE,
  STORE_INBOUND,
  TAKE_KEYS,
} from './callback-statements';
import { isReport, type ReceivedEvent, type StoredItem } from './received-event';

const MAX_BATCH = 500;
const MAX_WAITING = 10_000;
/** Bodies are up to a MiB each, and a statement holds all of its batch. */
const BY_BYTES = { of: ({ rawBody }: ReceivedEvent) => rawBody.length, most: 8 * 1024 * 1024 };
/** A callback that comes while others do may wait this long for them, milliseconds. */
const LINGER_MS = 3;
/** While one flush is written the next one can be filled and sent. */
const PARALLEL = 2;

/**
 * Keeps callbacks, each provider event once, and applies them: raw row, message and outgoing event are committed together, before the
 * provider hears that we have it. Callbacks that come while a commit is in flight share the next one.
 */
@Injectable()
export class CallbackStore {
  private readonly plain = new GroupCommit<ReceivedEvent, void>(
    (events) => this.flush(events, (batch) => this.storeAll(batch)),
    MAX_BATCH,
    LINGER_MS,
    PARALLEL,
    MAX_WAITING,
    tooMany,
    BY_BYTES,
  );
  /** What people write, where nothing more follows from it. */
  private readonly messages = new GroupCommit<ReceivedEvent, void>(
    (events) => this.flush(events, (batch) => this.storeMessages(batch)),
    MAX_BATCH,
    LINGER_MS,
    PARALLEL,
    MAX_WAITING,
    tooMany,
    BY_BYTES,
  );
  /** Apart from plain statuses and messages, so that these pay nothing for what few callbacks need. */
  private readonly effectful = new GroupCommit<ReceivedEvent, void>(
    (events) => this.flush(events, (batch) => this.storeTogether(batch)),
    MAX_BATCH,
    LINGER_MS,
    1,
    MAX_WAITING,
    tooMany,
    BY_BYTES,
  );

  constructor(
    private readonly database: Database,
    private readonly writer: MessageWriter,
    private readonly effects: CallbackEffects,
    private readonly eventSignal: EventSignal,
  ) {}

  /** Resolves when the event is committed, or was before. @throws Problem 503 when the database is away: the provider sends it again */
  store(event: ReceivedEvent): Promise<void> {
    if (this.effects.isPlainMessage(event)) return this.messages.add(event);
    return (takesLongWay(event.event) ? this.effectful : this.plain).add(event);
  }

  async drain(): Promise<void> {
    await Promise.all([this.plain.drain(), this.messages.drain(), this.effectful.drain()]);
  }

  /** Tries events again whose message was not known when they came. Answers how many found theirs. */
  async retryUnmatched(): Promise<number> {
    // The time bounds the look: those that never found their message stay for weeks, and this is asked each second.
    const applied = await this.database.transaction(async (tx) => {
      const rows = await tx.query<{
        id: string;
        created_at: Date;
        client_id: string;
        config_id: string;
        provider: string;
        normalized: NormalizedEvent;
        message_id: string;
        at: string;
      }>(
        `SELECT e.id, e.client_id, e.config_id, e.provider, e.normalized, x.message_id, e.created_at::text AS at
         FROM provider_events e JOIN external_ids x ON x.config_id = e.config_id AND x.external_id = e.external_id
         WHERE e.state = 'unmatched' AND e.retry_until > now() AND e.created_at > now() - interval '${2 * RETRY_MINUTES} minutes' ORDER BY e.created_at LIMIT 500 FOR UPDATE OF e SKIP LOCKED`,
      );
      if (rows.length === 0) return undefined;
      const result = await this.writer.applyIn(
        tx,
        rows.flatMap((row) =>
          isReport(row.normalized)
            ? reportChange(
                row.normalized,
                row.message_id,
                row.client_id,
                row.config_id,
                row.provider,
                Date.parse(row.at),
              )
            : [],
        ),
      );
      const outcome = await this.effects.applyIn(
        tx,
        rows.flatMap((row) =>
          hasEffects(row.normalized)
            ? {
                clientId: row.client_id,
                configId: row.config_id,
                provider: row.provider,
                event: row.normalized,
                messageId: row.message_id,
                receivedAt: Date.parse(row.at),
                again: true,
              }
            : [],
        ),
      );
      await tx.execute(
        `UPDATE provider_events e SET state = 'matched', message_id = i.message_id, retry_until = NULL
         FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS i(id, at, message_id) WHERE e.id = i.id AND e.created_at = i.at`,
        [
          textArray(rows.map((row) => row.id)),
          textArray(rows.map((row) => row.at)),
          textArray(rows.map((row) => row.message_id)),
        ],
      );
      return { drafts: result.drafts, rows, outcome };
    });
    if (!applied) return 0;
    this.writer.announce(applied.drafts);
    this.effects.committed(applied.outcome);
    this.eventSignal.committed(new Set(applied.rows.map((row) => row.client_id)));
    return applied.rows.length;
  }

  private async flush(
    events: ReceivedEvent[],
    write: (events: readonly ReceivedEvent[]) => Promise<void>,
  ): Promise<Array<void | Error>> {
    try {
      await write(distinct(events));
      return events.map(() => undefined);
    } catch (error) {
      if (isDatabaseUnavailable(error))
        throw Problem.unavailable('The database is not available right now; send it again.', error);
      if (events.length === 1) return [error as Error];
      const results: Array<void | Error> = [];
      for (const event of events) results.push(...(await this.flush([event], write)));
      return results;
    }
  }

  private async storeAll(events: readonly ReceivedEvent[]): Promise<void> {
    const items: StoredItem[] = events.map((received) => ({
      received,
      messageId: received.event?.messageId ?? null,
      known: false,
    }));
    await this.findMessages(items.filter((item) => !this.isConfirmed(item)));
    const reports = items.filter((item) => item.messageId !== null && isReport(item.received.event));
    const { known, drafts } = await this.writer.prepare(reports.map(changeOf));
    reports.forEach((item, index) => (item.known = known[index]!));
    const written = await this.database.query<{ id: string }>(STORE, [
      ...writeParameters(drafts),
      ...rawParameters(items),
    ]);
    const stale = this.writer.settle(drafts, new Set(written.map((row) => row.id)));
    if (stale.size === 0) return;
    await this.storeTogether(
      items.filter((item) => item.messageId !== null && stale.has(item.messageId)).map((item) => item.received),
    );
  }

  private async storeMessages(events: readonly ReceivedEvent[]): Promise<void> {
    const items = events.map((received): StoredItem => ({ received, messageId: null, known: true }));
    const [row] = await this.database.query<{ located: number[]; numbers: string[] }>(STORE_INBOUND, [
      ...rawParameters(items),
      plainArray(events.map(({ event }) => (event?.kind === 'inbound' ? event.repeatsFor : null))),
      Math.max(...events.map(({ receivedAt }) => receivedAt)),
      ...this.effects.messageParameters(events),
    ]);
    const located = new Set(row!.located);
    if (row!.numbers.length > 0) {
      const clientIds = events.filter((_, index) => located.has(index + 1)).map(({ clientId }) => clientId);
      this.effects.messagesCommitted(new Set(clientIds), new Set(row!.numbers));
    }
    if (located.size < events.length) await this.storeTogether(events.filter((_, index) => !located.has(index + 1)));
  }

  /** The longer way: lock, work out, write. */
  private async storeTogether(events: readonly ReceivedEvent[]): Promise<void> {
    const applied = await this.database.flush((tx) => this.storeIn(tx, events));
    if (!applied) return;
    this.writer.announce(applied.drafts);
    this.effects.committed(applied);
    const engaged = events.filter(({ event }) => event?.kind === 'engagement').map(({ clientId }) => clientId);
    if (engaged.length > 0) this.eventSignal.committed(new Set(engaged));
  }

  /**
   * Our own id in the callback is only a hint: what the provider's id is mapped to goes before it, and the writer takes it only for a message of
   * the config's own tenant. No look-up is needed when the message is known to have that very id.
   */
  private isConfirmed({ received, messageId }: StoredItem): boolean {
    const externalId = received.event?.externalId;
    if (externalId === undefined) return true;
    const state = messageId === null ? undefined : this.writer.peek(messageId);
    if (!state || state.client_id !== received.clientId || state.config_id !== received.configId) return false;
    return state.external_id === externalId || (state.parts !== null && externalId in state.parts);
  }

  private async findMessages(items: StoredItem[]): Promise<void> {
    if (items.length === 0) return;
    const rows = await this.database.query<{ n: number; mapped: string | null } & MessageState>(FIND_MESSAGES, [
      textArray(items.map(({ received }) => received.configId)),
      textArray(items.map(({ received }) => received.event?.externalId)),
      textArray(items.map(({ messageId }) => messageId)),
      plainArray(items.map(({ messageId }) => (messageId === null ? null : messageIdTime(messageId)))),
    ]);
    for (const { n, mapped, ...state } of rows) {
      if (mapped !== null) items[n - 1]!.messageId = mapped;
      if (state.id !== null) this.writer.remember(state);
    }
  }

  private async storeIn(
    tx: Transaction,
    events: readonly ReceivedEvent[],
  ): Promise<(Pick<AppliedChanges, 'drafts'> & Omit<CallbackOutcome, 'known'>) | undefined> {
    const fresh = await tx.query<{ n: number; message_id: string | null }>(TAKE_KEYS, [
      textArray(events.map((event) => event.configId)),
      textArray(events.map((event) => event.eventId)),
      textArray(events.map((event) => event.event?.externalId)),
      plainArray(events.map((event) => event.receivedAt)),
      plainArray(events.map(({ event }) => (event?.kind === 'inbound' ? event.repeatsFor : null))),
      Math.max(...events.map(({ receivedAt }) => receivedAt)),
    ]);
    if (fresh.length === 0) return undefined;
    const items: StoredItem[] = fresh
      .sort((a, b) => a.n - b.n)
      .map((row) => {
        const received = events[row.n - 1]!;
        return { received, messageId: row.message_id ?? received.event?.messageId ?? null, known: false };
      });
    const reports = items.filter((item) => item.messageId !== null && isReport(item.received.event));
    const applied = await this.writer.applyIn(tx, reports.map(changeOf));
    reports.forEach((item, index) => (item.known = applied.results[index]!));
    const effectful = items.filter(({ received }) => hasEffects(received.event));
    let outcome: Omit<CallbackOutcome, 'known'> = { suppressed: [] };
    if (effectful.length > 0) {
      const done = await this.effects.applyIn(
        tx,
        effectful.map(({ received, messageId }) => ({ ...received, event: received.event!, messageId })),
      );
      effectful.forEach((item, index) => (item.known = done.known[index]!));
      outcome = done;
    }
    await tx.execute(INSERT, rawParameters(items));
    return { drafts: applied.drafts, ...outcome };
  }
}

/** One of several equal events in a batch. */
function distinct(events: readonly ReceivedEvent[]): ReceivedEvent[] {
  return [...new Map(events.map((event) => [`${event.configId}\n${event.eventId}`, event])).values()];
}

function changeOf({ received, messageId }: StoredItem): MessageChange {
  const { event, clientId, configId, provider, receivedAt } = received;
  return reportChange(event as StatusEvent, messageId!, clientId, configId, provider, receivedAt);
}

function tooMany(): Problem {
  return Problem.unavailable('Too many callbacks at once; send it again.');
}

/** The change that a provider's status makes. */
export function reportChange(
  event: StatusEvent,
  messageId: string,
  clientId: string,
  configId: string,
  provider: string,
  receivedAt: number,
): MessageChange {
  return {
    kind: 'report',
    report: {
      messageId,
      clientId,
      configId,
      gateway: provider,
      externalId: event.externalId,
      status: event.status!,
      occurredAt: event.occurredAt ?? receivedAt,
      error: event.error,
      cost: event.cost,
      segments: event.segments,
    },
  };
}
