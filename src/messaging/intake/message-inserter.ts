import { Inject, Injectable } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';
import type { Channel } from '../../kernel/channel';
import { GroupCommit } from '../../kernel/group-commit';
import { messageIdTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { Database, isDatabaseUnavailable, statement } from '../../platform/database/database';
import { byteaArray, jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import { DISPATCH_QUEUE, type JobQueue, type ReadyGroup } from '../../platform/queue/job-queue';
import { FreshMessages } from '../dispatch/fresh-messages';
import type { ClaimedMessage } from '../record/message.types';
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
  /** The provider that would take a simulated message; null for a real one. */
  gateway: string | null;
  /** The config to ask first; null: the message is not to be sent (sandbox). */
  lane: string | null;
  idempotency: { key: string; bodyHash: Buffer } | null;
}

/** What came of an insert: stored, or an earlier request with the same key. */
export type InsertResult =
  { kind: 'stored' } | { kind: 'replay'; message: StoredMessage } | { kind: 'conflict'; key: string };

/** What an idempotent replay needs to give the first answer again. */
export interface StoredMessage {
  id: string;
  channel: string;
  segments: number | null;
  scheduled: boolean;
  gateway: string | null;
}

// One statement, so one round trip and one transaction: keys, messages and queue rows are there together or not at all. An expired key is free.
const INSERT = statement(
  'messages.insert',
  `WITH input AS (
     SELECT * FROM unnest($1::text[], $2::float8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[], $9::int[], $10::jsonb[],
                          $11::text[], $12::int[], $13::float8[], $14::float8[], $15::text[], $16::text[], $17::text[], $18::bytea[])
       AS i(id, at, client_id, channel, status, recipient, sender, content, priority, extra, encoding, segments, send_at, expires_at, gateway, lane,
            key, body_hash)
   ), keys AS (
     INSERT INTO idempotency_keys AS k (client_id, key, body_hash, message_id, expires_at)
     SELECT client_id, key, body_hash, id, now() + $19 * interval '1 hour' FROM input WHERE key IS NOT NULL
     ON CONFLICT (client_id, key) DO UPDATE
       SET body_hash = excluded.body_hash, message_id = excluded.message_id, expires_at = excluded.expires_at
       WHERE k.expires_at <= now()
     RETURNING message_id
   ), fresh AS MATERIALIZED (
     SELECT *, to_timestamp(at / 1000.0) AS created_at FROM input i WHERE key IS NULL OR id IN (SELECT message_id FROM keys)
   ), stored AS (
     INSERT INTO messages (id, created_at, client_id, channel, status, recipient, sender, content, priority, provider, reference, tags, metadata,
                           encoding, segments, send_at, expires_at, gateway, updated_at)
     SELECT id, created_at, client_id, channel, status, recipient, sender, content, priority, extra->>'provider', extra->>'reference',
            CASE WHEN extra ? 'tags' THEN ARRAY(SELECT jsonb_array_elements_text(extra->'tags')) END, extra->'metadata',
            encoding, segments, to_timestamp(send_at / 1000.0), to_timestamp(expires_at / 1000.0), gateway, created_at
     FROM fresh
   ), queued AS (
     INSERT INTO message_queue (message_id, message_created_at, client_id, lane, priority, due_at, waiting_on)
     SELECT id, created_at, client_id, lane, priority, coalesce(to_timestamp(send_at / 1000.0), created_at),
            CASE WHEN send_at IS NOT NULL THEN 'schedule' END
     FROM fresh WHERE lane IS NOT NULL
   )
   SELECT id FROM fresh`,
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

/** Most rows in one flush, and most requests that may wait for one before further ones are answered 503. */
const MAX_BATCH = 1_000;
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
  private readonly commits = new GroupCommit<NewMessage, InsertResult>(
    (messages) => this.flush(messages),
    MAX_BATCH,
    LINGER_MS,
    PARALLEL,
    MAX_WAITING,
    () => Problem.unavailable('The service is taking all that it can right now.'),
  );

  constructor(
    private readonly database: Database,
    private readonly metrics: IntakeMetrics,
    private readonly fresh: FreshMessages,
    @Inject(DISPATCH_QUEUE) private readonly queue: JobQueue<ReadyGroup[]>,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** Resolves when the message is committed, or when its key turns out to be used. @throws Problem 503 when the database is away */
  insert(message: NewMessage): Promise<InsertResult> {
    return this.commits.add(message);
  }

  /** What the first request with a key came to, when it was accepted. Stores nothing. */
  async earlier(clientId: string, key: string, bodyHash: Buffer): Promise<InsertResult | undefined> {
    const [row] = await this.database.query<KeyRow>(FIND_KEYS, [textArray([clientId]), textArray([key])]);
    return row?.valid ? resultOf(row, bodyHash) : undefined;
  }

  drain(): Promise<void> {
    return this.commits.drain();
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
    const rows = await this.database.query<{ id: string }>(
      INSERT,
      insertParameters(candidates, this.config.idempotencyHours),
    );
    const stored = new Set(rows.map((row) => row.id));
    this.publish(candidates.filter((message) => stored.has(message.id)));
    const others = messages.filter((message) => !stored.has(message.id));
    if (others.length === 0) return messages.map(() => ({ kind: 'stored' }) as const);
    const found = await this.database.query<KeyRow>(FIND_KEYS, [
      textArray(others.map((message) => message.clientId)),
      textArray(others.map((message) => message.idempotency!.key)),
    ]);
    const byKey = new Map(found.map((row) => [`${row.client_id}\n${row.key}`, row]));
    return messages.map((message) => {
      if (stored.has(message.id)) return { kind: 'stored' };
      const { key, bodyHash } = message.idempotency!;
      const row = byKey.get(`${message.clientId}\n${key}`);
      // Not thrown: what was stored beside it is stored.
      return row ? resultOf(row, bodyHash) : new Error('an idempotency key that was refused is not there');
    });
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
      if (message.lane === null || message.sendAt !== null) continue;
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
