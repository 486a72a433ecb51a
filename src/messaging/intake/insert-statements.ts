import { CHARGE_CTES, lockedCounters } from '../../gateway/quotas/quota-statements';
import { messageIdTime } from '../../kernel/ids';
import { statement } from '../../platform/database/database';
import { byteaArray, jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import type { NewMessage } from './new-message';

/** Most rows in one flush. */
export const MAX_BATCH = 1_000;

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
     -- In one order, so that two batches that repeat the same keys cannot wait for each other.
     ORDER BY client_id, key COLLATE "C"
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
export const INSERT = statement(
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
export const INSERT_COUNTED = statement(
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

/** The record of a key may be gone before the key: retention may be shorter than the time that a key holds. */
export const FIND_KEYS = statement(
  'idempotency_keys.find',
  `SELECT k.client_id, k.key, k.body_hash, k.message_id, m.channel, m.segments, m.gateway, m.status IS NOT DISTINCT FROM 'simulated' AS simulated,
          m.send_at IS NOT NULL AS scheduled, k.expires_at > now() AS valid
   FROM unnest($1::text[], $2::text[]) AS i(client_id, key)
   JOIN idempotency_keys k ON k.client_id = i.client_id AND k.key = i.key
   LEFT JOIN messages m ON m.id = k.message_id`,
);

export interface KeyRow {
  client_id: string;
  key: string;
  body_hash: Buffer;
  message_id: string;
  /** Null when the record is gone. */
  channel: string | null;
  segments: number | null;
  gateway: string | null;
  simulated: boolean;
  scheduled: boolean;
  valid: boolean;
}

export function insertParameters(messages: readonly NewMessage[], idempotencyHours: number): unknown[] {
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
