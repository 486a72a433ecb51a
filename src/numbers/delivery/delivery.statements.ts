import { statement } from '../../platform/database/database';
import { SLOW_MS } from '../alerts/receiver-alerts';
import { RECEIVER_COLUMNS } from './receiver.row';

const FREE = `(r.lane_until IS NULL OR r.lane_until < now() OR r.lane_owner = $1)`;

export const TAKE = statement(
  'inbound.take',
  // One look for all receivers: what a number gave out beyond a receiver's cursor was never tried there.
  `WITH working AS (
     SELECT r.id, r.failures_in_row >= $8 AS failing
     FROM number_receivers r JOIN numbers n ON n.id = r.number_id
     WHERE ${FREE} AND r.id <> ALL ($4::text[]) AND ($5::text[] IS NULL OR r.number_id = ANY ($5)) AND r.removed_at IS NULL
       AND (r.next_retry_at <= to_timestamp($3::float8 / 1000) OR n.sequence > r.cursor_sequence)
   ), picked AS (
     SELECT id FROM (SELECT id, failing, row_number() OVER (PARTITION BY failing ORDER BY random()) AS place FROM working) w
     WHERE place <= CASE WHEN failing THEN $7::int ELSE $6::int END
   ), locked AS (
     SELECT r.id FROM number_receivers r WHERE r.id IN (SELECT id FROM picked) AND ${FREE} FOR UPDATE SKIP LOCKED
   ), taken AS (
     UPDATE number_receivers r SET lane_owner = $1, lane_until = now() + $2::float8 * interval '1 millisecond'
     FROM locked WHERE r.id = locked.id RETURNING r.*
   )
   SELECT ${RECEIVER_COLUMNS} FROM taken r LEFT JOIN numbers n ON n.id = r.number_id`,
);

/** Every lane of whatever owner, where there can be no other process. */
export const RELEASE_ALL = `UPDATE number_receivers SET lane_owner = NULL, lane_until = NULL WHERE lane_owner IS NOT NULL`;

export const STATE = statement(
  'inbound.state',
  `SELECT ${RECEIVER_COLUMNS} FROM number_receivers r LEFT JOIN numbers n ON n.id = r.number_id WHERE r.id = $1 AND r.lane_owner = $2`,
);

const items = (where: string): string =>
  `SELECT d.inbound_id, d.inbound_created_at::text AS inbound_created_at, d.sequence::float8 AS delivery_sequence, d.attempts,
     jsonb_array_length(d.attempt_log) AS tries, m.id, d.client_id, m.number_id, m.channel, m.provider, m.config_id, m.external_id, m.sender,
     m.recipient, m.text, (extract(epoch FROM m.occurred_at) * 1000)::float8 AS occurred_at,
     (extract(epoch FROM m.received_at) * 1000)::float8 AS received_at, m.sequence::float8 AS sequence, m.state, m.event_id, m.detail
   FROM (SELECT * FROM inbound_deliveries d WHERE d.receiver_id = $1 AND d.status = 'pending' AND ${where}) d
   LEFT JOIN inbound_messages m ON m.client_id = d.client_id AND m.id = d.inbound_id AND m.created_at = d.inbound_created_at`;

export const FRESH = statement(
  'inbound.fresh',
  `${items(`d.next_attempt_at IS NULL AND d.sequence > $2 ORDER BY d.sequence LIMIT $3`)} ORDER BY d.sequence`,
);

export const DUE = statement(
  'inbound.due',
  `${items(`d.next_attempt_at <= to_timestamp($2::float8 / 1000) AND d.inbound_id <> ALL ($3::text[]) ORDER BY d.next_attempt_at LIMIT $4`)}
   ORDER BY d.next_attempt_at, d.sequence`,
);

// Writers ask NEXT_RETRY after this, so that a redelivery that commits in between is seen.
export const LOCK = statement(
  'inbound.lock',
  `SELECT id FROM number_receivers WHERE id = $1 AND lane_owner = $2 FOR UPDATE`,
);

export const NEXT_RETRY = statement(
  'inbound.next-retry',
  `UPDATE number_receivers r SET next_retry_at =
     (SELECT min(d.next_attempt_at) FROM inbound_deliveries d WHERE d.receiver_id = r.id AND d.status = 'pending' AND d.next_attempt_at IS NOT NULL)
   WHERE r.id = $1`,
);

/** Locks the receivers and answers which of them are still the owner's. */
export const TOUCH = statement(
  'inbound.touch',
  `UPDATE number_receivers r SET cursor_sequence = greatest(r.cursor_sequence, u.cursor::bigint), failures_in_row = u.failures,
     failing_since = to_timestamp(u.since / 1000), next_retry_at = least(r.next_retry_at, to_timestamp(u.next / 1000))
   FROM unnest($2::text[], $3::float8[], $4::int[], $5::float8[], $6::float8[]) AS u(id, cursor, failures, since, next)
   WHERE r.id = u.id AND r.lane_owner = $1 RETURNING r.id`,
);

export const SETTLE = statement(
  'inbound.settle',
  // The count of attempts makes a repeat of the same call change nothing, so each try is counted once. What is wrong on our side is no failure of
  // the receiver. The rows of the minutes need no order: whoever writes those of a receiver has its lock. Answers what has become a dead letter.
  `WITH settled AS (UPDATE inbound_deliveries d SET status = u.status, attempts = u.attempts, next_attempt_at = to_timestamp(u.next / 1000),
     attempt_log = d.attempt_log || u.log, updated_at = now()
   FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::smallint[], $6::text[], $7::smallint[], $8::float8[], $9::jsonb[])
     AS u(receiver_id, inbound_id, created_at, attempts_before, status, attempts, next, log)
   WHERE u.receiver_id = ANY ($1::text[]) AND d.inbound_id = u.inbound_id AND d.receiver_id = u.receiver_id AND d.inbound_created_at = u.created_at
     AND d.status = 'pending' AND d.attempts = u.attempts_before
   RETURNING d.client_id, d.number_id, d.receiver_id, d.inbound_id, d.status, u.log->0 AS try
   ), tried AS (
     SELECT client_id, receiver_id, date_trunc('minute', (try->>'at')::timestamptz) AS minute, (try->>'latency_ms')::int AS latency,
       coalesce(try->>'error' NOT IN ('internal_error', 'message_expired'), false) AS failed
     FROM settled
   ), counted AS (
     INSERT INTO receiver_minutes AS m (receiver_id, minute, client_id, tries, failures, slow, slowest_ms)
     SELECT receiver_id, minute, client_id, count(*), count(*) FILTER (WHERE failed), count(*) FILTER (WHERE latency > ${SLOW_MS}), max(latency)
     FROM tried GROUP BY receiver_id, minute, client_id
     ON CONFLICT (receiver_id, minute) DO UPDATE SET tries = m.tries + excluded.tries, failures = m.failures + excluded.failures,
       slow = m.slow + excluded.slow, slowest_ms = greatest(m.slowest_ms, excluded.slowest_ms)
   )
   SELECT client_id, number_id, receiver_id, min(inbound_id) AS inbound_id FROM settled WHERE status = 'dead_letter'
   GROUP BY client_id, number_id, receiver_id`,
);

/** Of a receiver, the first message that has become a dead letter. */
export interface BuriedRow {
  client_id: string;
  number_id: string;
  receiver_id: string;
  inbound_id: string;
}

/** What waits for a receiver that is no more; the reader of a number's receivers may have been a moment older than their removal. */
export const BURY = statement(
  'inbound.bury',
  `UPDATE inbound_deliveries d SET status = 'dead_letter', next_attempt_at = NULL, updated_at = now(), attempt_log = d.attempt_log || jsonb_build_array(
     jsonb_build_object('at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'latency_ms', 0, 'error', 'receiver_removed'))
   WHERE d.status = 'pending' AND d.receiver_id IN (
     SELECT r.id FROM number_receivers r WHERE r.removed_at IS NOT NULL AND (r.lane_until IS NULL OR r.lane_until < now()))`,
);
