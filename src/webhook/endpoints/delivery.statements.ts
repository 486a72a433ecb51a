import { statement } from '../../platform/database/database';
import { LANE_COLUMNS } from './endpoint.row';

// Writers ask this under the lock of the endpoint's row, so that it cannot change meanwhile.
const EARLIER_PENDING = `EXISTS (
  SELECT 1 FROM webhook_deliveries p WHERE p.endpoint_id = d.endpoint_id AND p.status = 'pending' AND p.message_id = d.message_id
    AND (p.event_tx, p.event_seq) < (d.event_tx, d.event_seq))`;

export const BLOCKED = statement(
  'webhooks.blocked',
  `SELECT DISTINCT message_id FROM webhook_deliveries
   WHERE endpoint_id = $1 AND status = 'pending' AND message_id = ANY($2)`,
);

export const MOVE = statement(
  'webhooks.move',
  `UPDATE webhook_endpoints e SET cursor_tx = $5::xid8, cursor_seq = $6::bigint,
     cursor_floor = greatest(created_at, $7::timestamptz),
     failures_in_row = $8, failing_since = to_timestamp($9::float8 / 1000), next_retry_at = least(next_retry_at, to_timestamp($10::float8 / 1000)),
     lane_until = now() + $11::float8 * interval '1 millisecond'
   WHERE id = $1 AND lane_owner = $2 AND cursor_tx = $3::xid8 AND cursor_seq = $4::bigint
   RETURNING ${LANE_COLUMNS}`,
);

export const TOUCH = statement(
  'webhooks.touch',
  `UPDATE webhook_endpoints e SET failures_in_row = $3, failing_since = to_timestamp($4::float8 / 1000),
     lane_until = now() + $5::float8 * interval '1 millisecond'
   WHERE id = $1 AND lane_owner = $2 RETURNING ${LANE_COLUMNS}`,
);

export const INSERT = statement(
  'webhooks.insert',
  `INSERT INTO webhook_deliveries (id, created_at, client_id, endpoint_id, event_id, event_created_at, event_tx, event_seq, event_type,
     message_id, status, attempts, next_attempt_at, attempt_log, updated_at)
   SELECT r.id, to_timestamp(r.at / 1000), $1, $2, r.event_id, r.event_created_at, r.tx, r.seq, r.type, r.message_id, r.status, r.attempts,
     to_timestamp(r.next / 1000), r.log, to_timestamp(r.at / 1000)
   FROM unnest($3::text[], $4::float8[], $5::text[], $6::timestamptz[], $7::xid8[], $8::bigint[], $9::text[], $10::text[], $11::text[],
       $12::smallint[], $13::float8[], $14::jsonb[])
     AS r(id, at, event_id, event_created_at, tx, seq, type, message_id, status, attempts, next, log)`,
);

export const DUE = statement(
  'webhooks.due',
  `SELECT d.id AS delivery_id, d.created_at::text AS delivery_created_at, d.attempts, d.event_id AS id, d.event_type AS type, d.message_id,
     d.event_created_at::text AS created_at, d.event_tx::text AS tx, d.event_seq::text AS seq, v.data::text AS data
   FROM webhook_deliveries d LEFT JOIN events v ON v.id = d.event_id AND v.created_at = d.event_created_at
   WHERE d.endpoint_id = $1 AND d.status = 'pending' AND d.next_attempt_at <= to_timestamp($2::float8 / 1000)
     AND NOT ${EARLIER_PENDING}
   ORDER BY d.next_attempt_at, d.event_tx, d.event_seq LIMIT $3`,
);

export const SETTLE = statement(
  'webhooks.settle',
  // The count of attempts makes a repeat of the same call change nothing.
  `UPDATE webhook_deliveries d SET status = r.status, attempts = r.attempts, next_attempt_at = to_timestamp(r.next / 1000),
     attempt_log = d.attempt_log || r.log, updated_at = now()
   FROM unnest($2::text[], $3::timestamptz[], $4::smallint[], $5::text[], $6::smallint[], $7::float8[], $8::jsonb[])
     AS r(id, created_at, attempts_before, status, attempts, next, log)
   WHERE d.endpoint_id = $1 AND d.id = r.id AND d.created_at = r.created_at AND d.status = 'pending' AND d.attempts = r.attempts_before`,
);

export const UNBLOCK = statement(
  'webhooks.unblock',
  `UPDATE webhook_deliveries d SET next_attempt_at = to_timestamp($3::float8 / 1000)
   WHERE d.endpoint_id = $1 AND d.message_id = ANY($2) AND d.status = 'pending' AND d.next_attempt_at = 'infinity' AND NOT ${EARLIER_PENDING}`,
);

export const BLOCK = statement(
  'webhooks.block',
  `UPDATE webhook_deliveries d SET next_attempt_at = 'infinity'
   WHERE d.endpoint_id = $1 AND d.message_id = ANY($2) AND d.status = 'pending' AND d.next_attempt_at < 'infinity' AND ${EARLIER_PENDING}`,
);

export const NEXT_RETRY = statement(
  'webhooks.next-retry',
  `UPDATE webhook_endpoints e SET next_retry_at =
     (SELECT min(d.next_attempt_at) FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.status = 'pending')
   WHERE e.id = $1 RETURNING (extract(epoch FROM e.next_retry_at) * 1000)::float8 AS next_retry_at`,
);
