import { Inject, Injectable } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';
import type { Channel } from '../../kernel/channel';
import { GroupCommit } from '../../kernel/group-commit';
import { messageIdTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { Database, isDatabaseUnavailable, statement } from '../../platform/database/database';
import { byteaArray, jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import type { UsedUp } from '../../gateway/quotas/quota-hints';
import { QuotaLedger } from '../../gateway/quotas/quota-ledger';
import type { MessageQuotas, QuotaCounter } from '../../gateway/quotas/quota-scope';
import { CHARGE_CTES, counterParameters, lockedCounters, type ChargedRow } from '../../gateway/quotas/quota-statements';
import { DISPATCH_QUEUE, type JobQueue, type ReadyGroup } from '../../platform/queue/job-queue';
import { FreshMessages } from '../dispatch/fresh-messages';
import type { ClaimedMessage } from '../record/message.types';
import { CountedPlaces } from './counted-places';
import { IntakeMetrics } from './intake-metrics';

/** A message that is about to become durable. */
export interface NewMessage {
  id: string;
  clientId: string;
  channel: string;
  status: 'queued' | 'scheduled' | 'simulated';
  recipient: string;
  sender: string | null;
  content: object;
  priority: number;
  provider: string | null;
  reference: string | null;
  tags: string[] | null;
  metadata: Record<string, string> | null;
  encoding: string | null;
  segments: number | null;
  sendAt: number | null;
  expiresAt: number;
  /** When the quiet hours end that it was accepted in; null: it need not wait for them. */
  heldUntil: number | null;
  /** The provider that would take a simulated message; null for a real one. */
  gateway: string | null;
  /** The config to ask first; null: the message is not to be sent (sandbox). */
  lane: string | null;
  idempotency: { key: string; bodyHash: Buffer } | null;
  /** The quotas that it counts for; null, as for most: none. */
  quotas: MessageQuotas | null;
}

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
  channel: string;
  segments: number | null;
  scheduled: boolean;
  gateway: string | null;
}

/** Most rows in one flush. */
const MAX_BATCH = 1_000;
/** How often counters that are not there are opened within one flush. */
const MOST_OPENINGS = 3;

const INPUT = `$1::text[], $2::float8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[], $9::int[], $10::jsonb[],
                          $11::text[], $12::int[], $13::float8[], $14::float8[], $15::text[], $16::text[], $17::text[], $18::bytea[], $19::float8[]`;
const INPUT_COLUMNS = `id, at, client_id, channel, status, recipient, sender, content, priority, extra, encoding, segments, send_at, expires_at, gateway, lane,
            key, body_hash, held`;

/**
 * CTEs that store rows: keys, messages and queue rows. `fresh` holds those whose key was free; an expired one is.
 * @param input the CTE that has the rows
 */
const storing = (input: string): string => `keys AS (
     INSERT INTO idempotency_keys AS k (client_id, key, body_hash, message_id, expires_at)
     SELECT client_id, key, body_hash, id, now() + $20 * interval '1 hour' FROM ${input} WHERE key IS NOT NULL
     ON CONFLICT (client_id, key) DO UPDATE
       SET body_hash = excluded.body_hash, message_id = excluded.message_id, expires_at = excluded.expires_at
       WHERE k.expires_at <= now()
     RETURNING message_id
   ), fresh AS MATERIALIZED (
     SELECT *, to_timestamp(at / 1000.0) AS created_at FROM ${input} i WHERE key IS NULL OR id IN (SELECT message_id FROM keys)
   ), stored AS (
     INSERT INTO messages (id, created_at, client_id, channel, status, recipient, sender, content, priority, provider, reference, tags, metadata,
                           encoding, segments, send_at, expires_at, gateway, updated_at)
     SELECT id, created_at, client_id, channel, status, recipient, sender, content, priority, extra->>'provider', extra->>'reference',
            CASE WHEN extra ? 'tags' THEN ARRAY(SELECT jsonb_array_elements_text(extra->'tags')) END, extra->'metadata',
            encoding, segments, to_timestamp(send_at / 1000.0), to_timestamp(expires_at / 1000.0), gateway, created_at
     FROM fresh
   ), queued AS (
     INSERT INTO message_queue (message_id, message_created_at, client_id, lane, priority, due_at, waiting_on)
     SELECT id, created_at, client_id, lane, priority, coalesce(to_timestamp(coalesce(held, send_at) / 1000.0), created_at),
            CASE WHEN held IS NOT NULL THEN 'quiet_hours' WHEN send_at IS NOT NULL THEN 'schedule' END
     FROM fresh WHERE lane IS NOT NULL
   )`;

// One statement, so one round trip and one transaction: keys, messages and queue rows are there together or not at all.
const INSERT = statement(
  'messages.insert',
  `WITH input AS (SELECT * FROM unnest(${INPUT}) AS i(${INPUT_COLUMNS})), ${storing('input')} SELECT id FROM fresh`,
);

/**
 * As INSERT, for a batch in which a quota counts: the same one statement takes the places. The counters are locked, each row that repeats no key is given
 * its place in the order in which the rows came, rows without a place are left out with their keys, and the counters grow by what was stored.
 *
 * `tenant` and `config` are the groups of counters that a row needs a place in. A config's messages are some of its tenant's, so giving the places of the
 * configs first wastes none.
 */
const INSERT_COUNTED = statement(
  'messages.insert_counted',
  `WITH ${lockedCounters(23)}, rooms AS MATERIALIZED (
     SELECT coalesce(jsonb_object_agg(group_no, room), '{}') AS free FROM (
       SELECT group_no, min(CASE WHEN hard THEN greatest(quota - used, 0) ELSE ${MAX_BATCH} END) AS room
       FROM locked GROUP BY group_no HAVING count(*) = max(of_group)) r
   ), input AS MATERIALIZED (
     SELECT * FROM unnest(${INPUT}, $21::int[], $22::int[]) WITH ORDINALITY AS i(${INPUT_COLUMNS}, tenant, config, n)
   ), unused AS MATERIALIZED (
     SELECT i.*, row_number() OVER (PARTITION BY i.config ORDER BY i.n) AS place FROM input i
     WHERE i.key IS NULL
       OR NOT EXISTS (SELECT 1 FROM idempotency_keys k WHERE k.client_id = i.client_id AND k.key = i.key AND k.expires_at > now())
   ), placed AS MATERIALIZED (
     SELECT u.*, row_number() OVER (PARTITION BY u.tenant ORDER BY u.n) AS tenant_place FROM unused u
     WHERE u.config IS NULL OR u.place <= coalesce(((SELECT free FROM rooms) ->> u.config::text)::int8, 0)
   ), granted AS MATERIALIZED (
     SELECT p.* FROM placed p
     WHERE p.tenant IS NULL OR p.tenant_place <= coalesce(((SELECT free FROM rooms) ->> p.tenant::text)::int8, 0)
   ), ${storing('granted')}, taken AS MATERIALIZED (
     SELECT coalesce(jsonb_object_agg(group_no, n), '{}') AS n FROM (
       SELECT group_no, count(*) AS n FROM fresh CROSS JOIN LATERAL (VALUES (tenant), (config)) AS g(group_no)
       WHERE group_no IS NOT NULL GROUP BY group_no) t
   ), ${CHARGE_CTES}
   SELECT id, NULL::int AS no, NULL::int8 AS used, NULL::bool AS told FROM fresh
   UNION ALL SELECT NULL, no, total, warns OR exceeds FROM charged`,
);

const FIND_KEYS = statement(
  'idempotency_keys.find',
  `SELECT k.client_id, k.key, k.body_hash, k.message_id, m.channel, m.segments, m.gateway, m.status = 'simulated' AS simulated,
          m.send_at IS NOT NULL AS scheduled, k.expires_at > now() AS valid
   FROM unnest($1::text[], $2::text[]) AS i(client_id, key)
   JOIN idempotency_keys k ON k.client_id = i.client_id AND k.key = i.key
   JOIN messages m ON m.id = k.message_id`,
);

interface KeyRow {
  client_id: string;
  key: string;
  body_hash: Buffer;
  message_id: string;
  channel: string;
  segments: number | null;
  gateway: string | null;
  simulated: boolean;
  scheduled: boolean;
  valid: boolean;
}

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

  /** Rows whose places went to others that turned out to repeat a key: there is room for them yet. */
  private async again(
    messages: readonly NewMessage[],
    results: ReadonlyArray<InsertResult | Error>,
  ): Promise<Array<InsertResult | Error>> {
    const lost = messages.filter((_, index) => results[index] === LOST_ITS_PLACE);
    if (lost.length === 0 || lost.length === messages.length) return [...results];
    const second = (await this.store(lost)).values();
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
    for (let openings = 0; ; openings++) {
      const rows = await this.database.query<Partial<ChargedRow> & { id: string | null }>(INSERT_COUNTED, [
        ...insertParameters(rest, this.config.idempotencyHours),
        plainArray(rest.map((message) => places.tenant(message))),
        plainArray(rest.map((message) => places.config(message))),
        ...counterParameters(places.groups),
      ]);
      for (const { id } of rows) if (id !== null) stored.add(id);
      const charged = rows.filter((row): row is ChargedRow & { id: null } => row.id === null);
      for (const [counter, count] of this.ledger.note(places.counters, charged)) used.set(counter, count);
      const missing = places.counters.filter((counter) => !used.has(counter));
      // Once a period, for the first message of it.
      if (missing.length === 0) break;
      if (openings === MOST_OPENINGS) throw new Error('the counters of a quota cannot be opened');
      await this.ledger.open(missing);
      rest = rest.filter(
        (message) => !stored.has(message.id) && places.of(message).some((one) => missing.includes(one)),
      );
    }
    return { stored, refusal: (message) => places.usedUp(message, used) };
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

/** What came of writing a batch. */
interface Written {
  stored: ReadonlySet<string>;
  refusal: (message: NewMessage) => UsedUp | undefined;
}

/** A message as a claim would read it back. */
function claimOf(message: NewMessage, lane: string): ClaimedMessage {
  const { id, clientId, recipient } = message;
  const channel = message.channel as Channel;
  return {
    id,
    createdAt: messageIdTime(id)!,
    clientId,
    channel,
    recipient,
    sender: message.sender,
    content: message.content as Record<string, unknown>,
    priority: message.priority,
    provider: message.provider,
    expiresAt: message.expiresAt,
    attempts: 0,
    lane,
    rounds: 0,
    tried: [],
    unknown: null,
    possibleDuplicate: false,
    state: {
      id,
      client_id: clientId,
      channel,
      status: message.status,
      recipient,
      reference: message.reference,
      metadata: message.metadata,
      config_id: null,
      external_id: null,
      parts: null,
      segments: message.segments,
      cost_amount: null,
      cost_currency: null,
      attempted_config: null,
      version: 0,
    },
  };
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

function insertParameters(messages: readonly NewMessage[], idempotencyHours: number): unknown[] {
  return [
    textArray(messages.map((message) => message.id)),
    plainArray(messages.map((message) => messageIdTime(message.id))),
    textArray(messages.map((message) => message.clientId)),
    textArray(messages.map((message) => message.channel)),
    textArray(messages.map((message) => message.status)),
    textArray(messages.map((message) => message.recipient)),
    textArray(messages.map((message) => message.sender)),
    jsonArray(messages.map((message) => message.content)),
    plainArray(messages.map((message) => message.priority)),
    textArray(messages.map(extraOf)),
    textArray(messages.map((message) => message.encoding)),
    plainArray(messages.map((message) => message.segments)),
    plainArray(messages.map((message) => message.sendAt)),
    plainArray(messages.map((message) => message.expiresAt)),
    textArray(messages.map((message) => message.gateway)),
    textArray(messages.map((message) => message.lane)),
    textArray(messages.map((message) => message.idempotency?.key)),
    byteaArray(messages.map((message) => message.idempotency?.bodyHash ?? null)),
    plainArray(messages.map((message) => message.heldUntil)),
    idempotencyHours,
  ];
}

/** The fields that few messages have travel together, so that most rows pay nothing for them. */
function extraOf(message: NewMessage): string | null {
  if (message.provider === null && message.reference === null && message.tags === null && message.metadata === null)
    return null;
  return JSON.stringify({
    provider: message.provider ?? undefined,
    reference: message.reference ?? undefined,
    tags: message.tags ?? undefined,
    metadata: message.metadata ?? undefined,
  });
}
