import { Inject, Injectable } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';
import { GroupCommit } from '../../kernel/group-commit';
import { Problem } from '../../kernel/problem';
import { Database, isDatabaseUnavailable } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import type { UsedUp } from '../../gateway/quotas/quota-hints';
import { QuotaLedger } from '../../gateway/quotas/quota-ledger';
import type { QuotaCounter } from '../../gateway/quotas/quota-scope';
import { counterParameters, type ChargedRow } from '../../gateway/quotas/quota-statements';
import { DISPATCH_QUEUE, type JobQueue, type ReadyGroup } from '../../platform/queue/job-queue';
import { FreshMessages } from '../dispatch/fresh-messages';
import { CountedPlaces } from './counted-places';
import { FIND_KEYS, INSERT, INSERT_COUNTED, MAX_BATCH, insertParameters, type KeyRow } from './insert-statements';
import { IntakeMetrics } from './intake-metrics';
import { claimOf, type NewMessage } from './new-message';

/** What came of an insert: stored, or an earlier request with the same key. */
export type InsertResult =
  | { kind: 'stored' }
  | { kind: 'replay'; message: StoredMessage }
  | { kind: 'conflict'; key: string }
  /** Nothing was stored, and no key is used up. */
  | { kind: 'over_quota'; usedUp: UsedUp };

/** What an idempotent replay needs to give the first answer again. */
export interface StoredMessage {
  id: string;
  /** Null when the record is gone by retention: then only the id is known. */
  channel: string | null;
  segments: number | null;
  scheduled: boolean;
  gateway: string | null;
}

/** How often counters that are not there are opened within one flush. */
const MOST_OPENINGS = 3;

const LOST_ITS_PLACE = Problem.unavailable('The service is taking all that it can right now.');

/** Most requests that may wait for a flush before further ones are answered 503. */
const MAX_WAITING = 20_000;
/** A request that comes while others do may wait this long for them, milliseconds. */
const LINGER_MS = 6;
/** One at a time: what comes meanwhile makes the next one larger, and each has a fixed cost. */
const PARALLEL = 1;

/**
 * Makes accepted messages durable by group commit, then tells the dispatch queue. Requests that come while a flush is in flight share the
 * next one; no request is answered before its rows are committed.
 */
@Injectable()
export class MessageInserter {
  private readonly commits = this.groupCommit();
  /** Apart, so that nobody else waits for a counter that another process has locked. */
  private readonly counted = this.groupCommit();

  constructor(
    private readonly database: Database,
    private readonly metrics: IntakeMetrics,
    private readonly fresh: FreshMessages,
    private readonly ledger: QuotaLedger,
    @Inject(DISPATCH_QUEUE) private readonly queue: JobQueue<ReadyGroup[]>,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** Resolves when the message is committed, or when its key turns out to be used. @throws Problem 503 when the database is away */
  insert(message: NewMessage): Promise<InsertResult> {
    return (message.quotas === null ? this.commits : this.counted).add(message);
  }

  /** What the first request with a key came to, when it was accepted. Stores nothing. */
  async earlier(clientId: string, key: string, bodyHash: Buffer): Promise<InsertResult | undefined> {
    const [row] = await this.database.query<KeyRow>(FIND_KEYS, [textArray([clientId]), textArray([key])]);
    return row?.valid ? resultOf(row, bodyHash) : undefined;
  }

  /** Which messages have these keys, whatever their bodies were. */
  async holders(clientId: string, keys: readonly string[]): Promise<Map<string, string>> {
    const values = [textArray(keys.map(() => clientId)), textArray(keys)];
    const rows = await this.database.query<KeyRow>(FIND_KEYS, values);
    return new Map(rows.map(({ key, message_id: messageId }) => [key, messageId]));
  }

  async drain(): Promise<void> {
    await Promise.all([this.commits.drain(), this.counted.drain()]);
  }

  private groupCommit(): GroupCommit<NewMessage, InsertResult> {
    return new GroupCommit<NewMessage, InsertResult>(
      (messages) => this.flush(messages),
      MAX_BATCH,
      LINGER_MS,
      PARALLEL,
      MAX_WAITING,
      () => Problem.unavailable('The service is taking all that it can right now.'),
    );
  }

  private async flush(messages: NewMessage[]): Promise<Array<InsertResult | Error>> {
    try {
      return await this.store(messages);
    } catch (error) {
      if (isDatabaseUnavailable(error))
        throw Problem.unavailable(
          // The answer to the commit may be what was lost, so no promise that nothing was stored.
          'The database is not available right now. Send again, with the same idempotency key: then nothing is stored twice.',
          error,
        );
      // PostgreSQL refused something that validation let through: find out which row it was, so that its neighbours do not pay for it.
      if (messages.length === 1) return [error as Error];
      const results: Array<InsertResult | Error> = [];
      for (const message of messages) results.push(...(await this.flush([message])));
      return results;
    }
  }

  private async store(messages: NewMessage[]): Promise<Array<InsertResult | Error>> {
    // Equal keys inside one flush: the first takes its chance in SQL, the others are judged by what is stored then.
    const firstByKey = new Map<string, NewMessage>();
    const candidates = messages.filter((message) => {
      if (!message.idempotency) return true;
      const key = `${message.clientId}\n${message.idempotency.key}`;
      if (firstByKey.has(key)) return false;
      firstByKey.set(key, message);
      return true;
    });
    const { stored, refusal } = await this.write(candidates);
    this.publish(candidates.filter((message) => stored.has(message.id)));
    const others = messages.filter((message) => !stored.has(message.id));
    if (others.length === 0) return messages.map(() => ({ kind: 'stored' }) as const);
    const keyed = others.filter((message) => message.idempotency !== null);
    const found =
      keyed.length === 0
        ? []
        : await this.database.query<KeyRow>(FIND_KEYS, [
            textArray(keyed.map((message) => message.clientId)),
            textArray(keyed.map((message) => message.idempotency!.key)),
          ]);
    const byKey = new Map(found.map((row) => [`${row.client_id}\n${row.key}`, row]));
    const results = messages.map((message): InsertResult | Error => {
      if (stored.has(message.id)) return { kind: 'stored' };
      const { idempotency } = message;
      const row = idempotency ? byKey.get(`${message.clientId}\n${idempotency.key}`) : undefined;
      if (row?.valid) return resultOf(row, idempotency!.bodyHash);
      const usedUp = refusal(message);
      if (usedUp) return { kind: 'over_quota', usedUp };
      if (row) return resultOf(row, idempotency!.bodyHash);
      // Not thrown: what was stored beside it is stored.
      return message.quotas ? LOST_ITS_PLACE : new Error('an idempotency key that was refused is not there');
    });
    return this.again(messages, results);
  }

  /** Rows whose places went to others that turned out to repeat a key, and rows that repeat the key of one that was refused: there may be room for them. */
  private async again(
    messages: readonly NewMessage[],
    results: ReadonlyArray<InsertResult | Error>,
  ): Promise<Array<InsertResult | Error>> {
    const lost = messages.filter((_, index) => results[index] === LOST_ITS_PLACE);
    if (lost.length === 0 || lost.length === messages.length) return [...results];
    const second = (await this.flush(lost)).values();
    return results.map((result) => (result === LOST_ITS_PLACE ? second.next().value! : result));
  }

  /** Stores what may be stored; `refusal` says of the others which quota refused them. */
  private async write(messages: readonly NewMessage[]): Promise<Written> {
    if (messages.some(({ quotas }) => quotas !== null)) return this.writeCounted(messages);
    const rows = await this.database.query<{ id: string }>(
      INSERT,
      insertParameters(messages, this.config.idempotencyHours),
    );
    return { stored: new Set(rows.map((row) => row.id)), refusal: () => undefined };
  }

  private async writeCounted(messages: readonly NewMessage[]): Promise<Written> {
    const stored = new Set<string>();
    const places = new CountedPlaces(messages, (scope) => this.ledger.counters(scope));
    const used = new Map<QuotaCounter, number>();
    let rest = messages;
    try {
      for (let openings = 0; ; openings++) {
        const rows = await this.database.query<CountedRow>(INSERT_COUNTED, [
          ...insertParameters(rest, this.config.idempotencyHours),
          plainArray(rest.map((message) => places.tenant(message))),
          plainArray(rest.map((message) => places.config(message))),
          ...counterParameters(places.groups),
        ]);
        for (const { id } of rows) if (id !== null) stored.add(id);
        const charged = rows.filter((row): row is ChargedRow & { id: null } => row.id === null);
        for (const [counter, count] of this.ledger.note(places.counters, charged)) used.set(counter, count);
        const missing = places.counters.filter((counter) => !used.has(counter));
        if (missing.length === 0) return { stored, refusal: (message) => places.usedUp(message, used) };
        if (openings === MOST_OPENINGS) throw new Error('the counters of a quota cannot be opened');
        // Once a period, for the first message of it.
        await this.ledger.open(missing);
        rest = rest.filter(
          (message) => !stored.has(message.id) && places.of(message).some((one) => missing.includes(one)),
        );
      }
    } catch (error) {
      // What an earlier statement stored is stored; the rest is tried again, apart from it.
      if (stored.size === 0) throw error;
      return { stored, refusal: () => undefined };
    }
  }

  /** Once a flush: a labelled counter costs as much as a tenth of a row. */
  private count(messages: readonly NewMessage[]): void {
    const counts = new Map<string, { message: NewMessage; count: number }>();
    for (const message of messages) {
      const key = `${message.channel}/${message.status}`;
      const entry = counts.get(key);
      if (entry) entry.count += 1;
      else counts.set(key, { message, count: 1 });
    }
    for (const { message, count } of counts.values()) this.metrics.accepted(message.channel, message.status, count);
  }

  private publish(messages: readonly NewMessage[]): void {
    this.count(messages);
    const groups = new Map<string, ReadyGroup>();
    for (const message of messages) {
      if (message.lane === null || message.sendAt !== null || message.heldUntil !== null) continue;
      // An email may be megabytes.
      if (this.fresh.enabled && message.channel !== 'email') this.fresh.keep(claimOf(message, message.lane));
      const key = `${message.clientId}\n${message.lane}\n${message.priority}`;
      const group = groups.get(key);
      if (group) group.ids.push(message.id);
      else
        groups.set(key, {
          clientId: message.clientId,
          lane: message.lane,
          priority: message.priority,
          ids: [message.id],
        });
    }
    if (groups.size > 0) this.queue.publish([...groups.values()]);
  }
}

/** A row that was stored, or a counter. */
type CountedRow = Partial<ChargedRow> & { id: string | null };

/** What came of writing a batch. */
interface Written {
  stored: ReadonlySet<string>;
  refusal: (message: NewMessage) => UsedUp | undefined;
}

function resultOf(row: KeyRow, bodyHash: Buffer): InsertResult {
  if (!row.body_hash.equals(bodyHash)) return { kind: 'conflict', key: row.key };
  return {
    kind: 'replay',
    message: {
      id: row.message_id,
      channel: row.channel,
      segments: row.segments,
      scheduled: row.scheduled,
      gateway: row.simulated ? row.gateway : null,
    },
  };
}
