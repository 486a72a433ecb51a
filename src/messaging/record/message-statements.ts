import { messageIdTime, newId } from '../../kernel/ids';
import { statement } from '../../platform/database/database';
import { jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import { contributionOf, engagementColumns } from '../metering/contribution';
import { MeterGroups } from '../metering/meter-groups';
import { contributionAfter, type Draft } from './message-draft';

export const STATE_COLUMNS = `m.id, m.client_id, m.channel, m.status, m.recipient, m.reference, m.metadata, m.config_id, m.external_id, m.parts, m.segments, m.cost_amount,
   m.cost_currency, m.attempts -> -1 ->> 'config_id' AS attempted_config, m.possible_duplicate, m.version`;
const BY_ID = `FROM unnest($1::text[], $2::float8[]) AS i(id, at) JOIN messages m ON m.id = i.id AND m.created_at = to_timestamp(i.at / 1000.0)`;

export const READ_STATES = statement('messages.read_states', `SELECT ${STATE_COLUMNS} ${BY_ID}`);

// NO KEY UPDATE: the ids never change. Ordered, so that two processes that lock the same messages cannot wait for each other.
export const LOCK_STATES = statement(
  'messages.lock_states',
  `SELECT ${STATE_COLUMNS} ${BY_ID} ORDER BY m.id FOR NO KEY UPDATE OF m`,
);

const CARRIED = engagementColumns(`c.moved -> 'engagement'`);

/** Number of parameters of {@link WRITE_CTES}. */
export const WRITE_PARAMETERS = 30;

/**
 * Writes drafts: a message whose version is still the one that was seen changes together with its queue row, its provider ids and its events; any
 * other is left alone with all that belongs to it. `changed` holds the ids of those that were written.
 *
 * `(… IN (SELECT …)) IS TRUE`: under a test the planner leaves the look-up a hashed one; as a join it would compare each row with each, since the
 * message path allows no hash joins.
 */
export const WRITE_CTES = `
   input AS MATERIALIZED (
     SELECT * FROM unnest($1::text[], $2::float8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[], $9::text[], $10::text[],
                          $11::int[], $12::text[], $13::text[], $14::bool[], $15::bool[], $16::bool[], $17::int[], $28::int[], $29::text[])
       AS i(id, at, status, gateway, config_id, external_id, parts, attempts, cost_amount, cost_currency, segments, error_code, error_message,
            clear_error, possible_duplicate, leave_queue, version, meter, moved)
   ), changed AS (
     UPDATE messages m SET
       version = m.version + 1,
       status = i.status,
       gateway = coalesce(i.gateway, m.gateway),
       config_id = coalesce(i.config_id, m.config_id),
       external_id = coalesce(i.external_id, m.external_id),
       parts = coalesce(i.parts::jsonb, m.parts),
       -- An outcome comes twice when the answer to its commit was lost.
       attempts = CASE WHEN i.attempts IS NULL OR m.attempts @> i.attempts THEN m.attempts ELSE m.attempts || i.attempts END,
       cost_amount = coalesce(i.cost_amount::numeric, m.cost_amount),
       cost_currency = coalesce(i.cost_currency, m.cost_currency),
       segments = coalesce(i.segments, m.segments),
       error_code = CASE WHEN i.clear_error THEN NULL ELSE coalesce(i.error_code, m.error_code) END,
       error_message = CASE WHEN i.clear_error THEN NULL ELSE coalesce(i.error_message, m.error_message) END,
       possible_duplicate = m.possible_duplicate OR i.possible_duplicate,
       updated_at = now()
     FROM input i WHERE m.id = i.id AND m.created_at = to_timestamp(i.at / 1000.0) AND m.version = i.version
     RETURNING m.id,
       -- What was counted of an email before its account was known, or while another one had it, goes with it.
       CASE WHEN i.moved IS NOT NULL AND m.engagement IS NOT NULL
         THEN jsonb_build_object('client_id', m.client_id, 'channel', m.channel, 'at', m.created_at, 'moved', i.moved, 'engagement', m.engagement) END AS moved
   ), mapped AS (
     INSERT INTO external_ids (config_id, external_id, message_id)
     SELECT x.config_id, x.external_id, x.message_id FROM unnest($18::text[], $19::text[], $20::text[]) AS x(config_id, external_id, message_id)
     WHERE (x.message_id IN (SELECT id FROM changed)) IS TRUE ON CONFLICT DO NOTHING
   ), told AS (
     INSERT INTO events (id, created_at, client_id, type, message_id, occurred_at, gateway, data)
     SELECT e.id, now(), e.client_id, e.type, e.message_id, to_timestamp(e.at / 1000.0), e.gateway, e.data
     FROM unnest($21::text[], $22::text[], $23::text[], $24::text[], $25::float8[], $26::text[], $27::jsonb[])
       WITH ORDINALITY AS e(id, client_id, type, message_id, at, gateway, data, n)
     WHERE (e.message_id IN (SELECT id FROM changed)) IS TRUE ORDER BY e.n
   ), metered AS (
     -- Entries say what each message of a group adds; here is how many of the group were written.
     INSERT INTO usage_deltas (client_id, bucket, config_id, channel, status, messages, segments, currency, amount)
     SELECT d.client_id, to_timestamp(d.bucket / 1000.0), d.config_id, d.channel, d.status, d.messages * d.n, d.segments * d.n, d.currency,
            d.amount * d.n
     FROM (
       SELECT e.*, c.n[e.meter] AS n
       FROM jsonb_to_recordset($30::jsonb) AS e(meter int, client_id text, bucket float8, config_id text, channel text, status text, messages int,
                                                segments int, currency text, amount numeric)
       CROSS JOIN (
         SELECT array_agg(g.n ORDER BY g.meter) AS n FROM (
           SELECT i.meter, count(*) FILTER (WHERE (i.id IN (SELECT id FROM changed)) IS TRUE)::int AS n
           FROM input i WHERE i.meter IS NOT NULL GROUP BY i.meter) g) c) d
     WHERE d.n > 0
   ), carried AS (
     INSERT INTO usage_deltas (client_id, bucket, config_id, channel, ${CARRIED.map(([column]) => column).join(', ')})
     SELECT c.moved ->> 'client_id', date_bin('15 minutes', (c.moved ->> 'at')::timestamptz, 'epoch'), split_part(c.moved ->> 'moved', ' ', s.part),
            c.moved ->> 'channel', ${CARRIED.map(([, value]) => `s.sign * ${value}`).join(', ')}
     FROM changed c CROSS JOIN (VALUES (1, -1), (2, 1)) AS s(part, sign) WHERE c.moved IS NOT NULL
   ), done AS (
     -- By an array: as a join the planner may read all that waits.
     DELETE FROM message_queue q
     WHERE q.message_id = ANY (ARRAY(SELECT i.id FROM input i WHERE i.leave_queue AND (i.id IN (SELECT id FROM changed)) IS TRUE))
   )`;

export const WRITE = statement('messages.write', `WITH ${WRITE_CTES} SELECT id FROM changed`);

// Only what this worker still holds: a claim that was taken back in the meantime belongs to who took it.
export const REQUEUE = statement(
  'message_queue.requeue',
  `UPDATE message_queue q SET
     claimed_by = NULL, claimed_at = NULL, lane = i.lane, due_at = to_timestamp(i.due / 1000.0), waiting_on = i.waiting_on, rounds = i.rounds,
     tried = ARRAY(SELECT jsonb_array_elements_text(i.tried)), unknown_since = to_timestamp(i.unknown_since / 1000.0), unknown_config = i.unknown_config,
     reconcile_until = to_timestamp(i.reconcile_until / 1000.0)
   FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::int[], $7::jsonb[], $8::float8[], $9::text[], $10::float8[])
     AS i(id, holder, lane, due, waiting_on, rounds, tried, unknown_since, unknown_config, reconcile_until)
   WHERE q.message_id = i.id AND q.claimed_by = i.holder
   RETURNING q.message_id`,
);

export const HELD = statement(
  'message_queue.held',
  'SELECT message_id FROM message_queue WHERE message_id = ANY($1::text[]) AND claimed_by = $2 FOR UPDATE',
);

/** Events keep the order of the drafts. The rows of messages are in the order of their ids: so are their locks, and two writers cannot wait for each other. */
export function writeParameters(unordered: readonly Draft[]): unknown[] {
  const drafts = [...unordered].sort((one, other) => (one.row.id < other.row.id ? -1 : 1));
  const ids = drafts.flatMap((draft) =>
    draft.externalIds.map(
      (externalId) => [draft.configId ?? draft.row.config_id ?? '', externalId, draft.row.id] as const,
    ),
  );
  const times = drafts.map((draft) => messageIdTime(draft.row.id)!);
  const groups = new MeterGroups();
  const moves: Array<string | null> = [];
  const meters = drafts.map((draft, index) => {
    const { client_id: clientId, channel } = draft.row;
    const before = contributionOf(draft.row);
    const after = contributionAfter(draft);
    const moved = channel === 'email' && before.configId !== after.configId;
    moves.push(moved ? `${before.configId} ${after.configId}` : null);
    return groups.add({ clientId, channel, createdAt: times[index]!, before, after });
  });
  const events = unordered.flatMap((draft) => draft.events.map((event) => ({ event, row: draft.row })));
  return [
    textArray(drafts.map((draft) => draft.row.id)),
    plainArray(times),
    textArray(drafts.map((draft) => draft.status)),
    textArray(drafts.map((draft) => draft.gateway)),
    textArray(drafts.map((draft) => draft.configId)),
    textArray(drafts.map((draft) => draft.externalId)),
    jsonArray(drafts.map((draft) => draft.parts)),
    jsonArray(drafts.map((draft) => (draft.attempts.length > 0 ? draft.attempts : null))),
    textArray(drafts.map((draft) => draft.cost?.amount)),
    textArray(drafts.map((draft) => draft.cost?.currency)),
    plainArray(drafts.map((draft) => draft.segments)),
    textArray(drafts.map((draft) => draft.error?.code)),
    textArray(drafts.map((draft) => draft.error?.message)),
    plainArray(drafts.map((draft) => draft.clearError)),
    plainArray(drafts.map((draft) => draft.possibleDuplicate)),
    plainArray(drafts.map((draft) => draft.leaveQueue)),
    plainArray(drafts.map((draft) => draft.row.version)),
    textArray(ids.map(([configId]) => configId)),
    textArray(ids.map(([, externalId]) => externalId)),
    textArray(ids.map(([, , messageId]) => messageId)),
    textArray(events.map(() => newId('event'))),
    textArray(events.map(({ row }) => row.client_id)),
    textArray(events.map(({ event }) => event.type)),
    textArray(events.map(({ row }) => row.id)),
    plainArray(events.map(({ event }) => event.occurredAt)),
    textArray(events.map(({ event }) => event.gateway)),
    jsonArray(events.map(({ event }) => event.data)),
    plainArray(meters),
    textArray(moves),
    JSON.stringify(groups.entries),
  ];
}

export function requeueParameters(drafts: readonly Draft[], holder: string): unknown[] {
  const requeues = drafts.map((draft) => draft.requeue!);
  return [
    textArray(drafts.map((draft) => draft.row.id)),
    textArray(drafts.map(() => holder)),
    textArray(requeues.map((requeue) => requeue.lane)),
    plainArray(requeues.map((requeue) => requeue.dueAt)),
    textArray(requeues.map((requeue) => requeue.waitingOn)),
    plainArray(requeues.map((requeue) => requeue.rounds)),
    textArray(requeues.map((requeue) => JSON.stringify(requeue.tried))),
    plainArray(requeues.map((requeue) => requeue.unknown?.since)),
    textArray(requeues.map((requeue) => requeue.unknown?.configId)),
    plainArray(requeues.map((requeue) => requeue.unknown?.reconcileUntil)),
  ];
}
