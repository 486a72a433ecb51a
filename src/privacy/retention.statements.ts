import { BLANK_CALLBACK, BLANK_LOG, PERSONAL_MEMBERS } from './erasure.statements';

/**
 * One piece of a tenant's retention: $1 tenant, $2 the time before which records are old, $3 the smallest id of that time (of the kind that is asked
 * for), $4 and $5 the cursor, $6 most rows. Each answers `seen`, how many rows the piece had, and the cursor behind them; a full piece is followed by
 * another one. The cursor goes on from run to run, so nothing is looked at twice.
 */
export interface RetentionPiece {
  /** Name of its cursor. */
  store: string;
  sql: string;
}

/** Messages that wait to be sent need their content still; they are noted, and come with a later run. */
export const BLANK_MESSAGES: RetentionPiece = {
  store: 'messages',
  sql: `WITH page AS MATERIALIZED (
      SELECT id, created_at FROM messages
      WHERE client_id = $1 AND created_at < $2 AND $3::text IS NOT NULL AND (created_at, id) > (coalesce(nullif($4, ''), '-infinity')::timestamptz, $5)
      ORDER BY created_at, id LIMIT $6
    ), waiting AS (
      INSERT INTO retention_left (client_id, message_id, message_created_at)
      SELECT $1, p.id, p.created_at FROM page p WHERE EXISTS (SELECT 1 FROM message_queue q WHERE q.message_id = p.id) ON CONFLICT DO NOTHING
    ), blank AS (
      UPDATE messages m SET content = '{}' FROM page p
      WHERE m.id = p.id AND m.created_at = p.created_at AND m.content <> '{}' AND NOT EXISTS (SELECT 1 FROM message_queue q WHERE q.message_id = p.id)
    )
    SELECT count(*)::int AS seen, max(created_at)::text AS cursor, (SELECT id FROM page ORDER BY created_at DESC, id DESC LIMIT 1) AS cursor_id FROM page`,
};

/** Those of {@link BLANK_MESSAGES} that were passed over. */
export const BLANK_LEFT = `WITH page AS MATERIALIZED (
    SELECT l.message_id, l.message_created_at FROM retention_left l
    WHERE l.client_id = $1 AND NOT EXISTS (SELECT 1 FROM message_queue q WHERE q.message_id = l.message_id)
    ORDER BY l.message_id LIMIT $2
  ), blank AS (
    UPDATE messages m SET content = '{}' FROM page p WHERE m.id = p.message_id AND m.created_at = p.message_created_at
  ), done AS (
    DELETE FROM retention_left l USING page p WHERE l.client_id = $1 AND l.message_id = p.message_id
  )
  SELECT count(*)::int AS seen FROM page`;

export const BLANK_EVENTS: RetentionPiece = {
  store: 'events',
  sql: `WITH page AS MATERIALIZED (
      SELECT id, created_at, tx, seq FROM (
        SELECT id, created_at, tx, seq FROM events
        WHERE client_id = $1 AND (tx, seq) > (coalesce(nullif($4, ''), '0')::xid8, coalesce(nullif($5, ''), '0')::bigint)
        ORDER BY tx, seq LIMIT $6) n
      WHERE created_at < $2 AND $3::text IS NOT NULL
    ), blank AS (
      UPDATE events e SET data = (e.data - ${PERSONAL_MEMBERS})
        || CASE WHEN e.message_id IS NOT NULL THEN '{"to": "erased"}'::jsonb WHEN e.type = 'inbound.received' THEN '{"from": "erased", "text": ""}' ELSE '{}' END
      FROM page p WHERE e.id = p.id AND e.created_at = p.created_at AND (e.message_id IS NOT NULL OR e.type = 'inbound.received')
    )
    SELECT count(*)::int AS seen, (SELECT tx::text FROM page ORDER BY tx DESC, seq DESC LIMIT 1) AS cursor,
      (SELECT seq::text FROM page ORDER BY tx DESC, seq DESC LIMIT 1) AS cursor_id FROM page`,
};

export const BLANK_CALLBACKS: RetentionPiece = {
  store: 'provider_events',
  sql: `WITH page AS MATERIALIZED (
      SELECT id, created_at FROM provider_events WHERE client_id = $1 AND id < $3 AND id > $4 AND $5 = $5 AND created_at < $2 ORDER BY id LIMIT $6
    ), blank AS (
      UPDATE provider_events e SET ${BLANK_CALLBACK} FROM page p WHERE e.id = p.id AND e.created_at = p.created_at
    )
    SELECT count(*)::int AS seen, max(id) AS cursor, '' AS cursor_id FROM page`,
};

export const BLANK_INBOUND: RetentionPiece = {
  store: 'inbound_messages',
  sql: `WITH page AS MATERIALIZED (
      SELECT id, created_at FROM inbound_messages WHERE client_id = $1 AND id < $3 AND id > $4 AND $5 = $5 AND created_at < $2 ORDER BY id LIMIT $6
    ), logs AS (
      UPDATE inbound_deliveries d SET attempt_log = ${BLANK_LOG} FROM page p
      WHERE d.client_id = $1 AND d.inbound_id = p.id AND d.inbound_created_at = p.created_at
    ), blank AS (
      UPDATE inbound_messages m SET text = '', detail = NULL FROM page p WHERE m.client_id = $1 AND m.id = p.id AND m.created_at = p.created_at
    )
    SELECT count(*)::int AS seen, max(id) AS cursor, '' AS cursor_id FROM page`,
};

/** Of one endpoint ($5); the cursor is its own. */
export const BLANK_DELIVERIES = `WITH page AS MATERIALIZED (
    SELECT endpoint_id, id, created_at FROM webhook_deliveries WHERE endpoint_id = $5 AND id < $3 AND id > $4 AND created_at < $2 ORDER BY id LIMIT $6
  ), blank AS (
    UPDATE webhook_deliveries d SET attempt_log = ${BLANK_LOG} FROM page p
    WHERE d.client_id = $1 AND d.endpoint_id = p.endpoint_id AND d.id = p.id AND d.created_at = p.created_at AND d.attempt_log::text ~ '"(response|error)": "'
  )
  SELECT count(*)::int AS seen, max(id) AS cursor, '' AS cursor_id FROM page`;

/** What is deleted, oldest first: $1 tenant, $2 the time, $3 the smallest id of that time, $4 most rows. Each answers how many rows it saw. */
export const DELETE_MESSAGES = `WITH page AS MATERIALIZED (
    SELECT m.id, m.created_at, m.config_id, m.external_id, m.parts FROM messages m
    WHERE m.client_id = $1 AND m.created_at < $2 AND $3::text IS NOT NULL AND NOT EXISTS (SELECT 1 FROM message_queue q WHERE q.message_id = m.id)
    ORDER BY m.created_at, m.id LIMIT $4 FOR UPDATE OF m SKIP LOCKED
  ), mapped AS (
    DELETE FROM external_ids x USING page p WHERE x.config_id = p.config_id AND x.external_id = p.external_id
  ), parts AS (
    DELETE FROM external_ids x USING (SELECT p.config_id, k.id FROM page p CROSS JOIN LATERAL jsonb_object_keys(p.parts) AS k(id)) i
    WHERE x.config_id = i.config_id AND x.external_id = i.id
  ), followed AS (
    DELETE FROM message_fallbacks f USING page p WHERE f.message_id = p.id
  ), polled AS (
    DELETE FROM status_polls s USING page p WHERE s.message_id = p.id
  ), kept AS (
    DELETE FROM retention_left l USING page p WHERE l.client_id = $1 AND l.message_id = p.id
  ), gone AS (
    DELETE FROM messages m USING page p WHERE m.id = p.id AND m.created_at = p.created_at
  )
  SELECT count(*)::int AS seen FROM page`;

export const DELETE_EVENTS = `WITH page AS MATERIALIZED (
    SELECT id, created_at FROM (SELECT id, created_at FROM events WHERE client_id = $1 ORDER BY tx, seq LIMIT $4) n
    WHERE created_at < $2 AND $3::text IS NOT NULL
  ), gone AS (
    DELETE FROM events e USING page p WHERE e.id = p.id AND e.created_at = p.created_at
  )
  SELECT count(*)::int AS seen FROM page`;

export const DELETE_CALLBACKS = `WITH page AS MATERIALIZED (
    SELECT id, created_at FROM provider_events WHERE client_id = $1 AND id < $3 AND created_at < $2 ORDER BY id LIMIT $4
  ), gone AS (
    DELETE FROM provider_events e USING page p WHERE e.id = p.id AND e.created_at = p.created_at
  )
  SELECT count(*)::int AS seen FROM page`;

/** What a receiver waits for still stays. */
export const DELETE_INBOUND = `WITH page AS MATERIALIZED (
    SELECT m.id, m.created_at FROM inbound_messages m
    WHERE m.client_id = $1 AND m.id < $3 AND m.created_at < $2 AND NOT EXISTS (
      SELECT 1 FROM inbound_deliveries d WHERE d.inbound_id = m.id AND d.inbound_created_at = m.created_at AND d.status = 'pending')
    ORDER BY m.id LIMIT $4
  ), delivered AS (
    DELETE FROM inbound_deliveries d USING page p WHERE d.client_id = $1 AND d.inbound_id = p.id AND d.inbound_created_at = p.created_at
  ), gone AS (
    DELETE FROM inbound_messages m USING page p WHERE m.client_id = $1 AND m.id = p.id AND m.created_at = p.created_at
  )
  SELECT count(*)::int AS seen FROM page`;

/** Of one endpoint ($5). */
export const DELETE_DELIVERIES = `WITH page AS MATERIALIZED (
    SELECT endpoint_id, id, created_at FROM webhook_deliveries WHERE endpoint_id = $5 AND id < $3 AND created_at < $2 AND status <> 'pending' ORDER BY id LIMIT $4
  ), gone AS (
    DELETE FROM webhook_deliveries d USING page p WHERE d.client_id = $1 AND d.endpoint_id = p.endpoint_id AND d.id = p.id AND d.created_at = p.created_at
  )
  SELECT count(*)::int AS seen FROM page`;
