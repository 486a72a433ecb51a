/** Members of an event's `data` that are about a person; `to` and `from` besides, which stay with something else in their place. */
export const PERSONAL_MEMBERS =
  "ARRAY['metadata', 'recipient', 'url', 'ip', 'user_agent', 'reason', 'text', 'detail', 'error_message']";

/** What a raw callback is once it is erased; it can still be listed, and not be read again. */
export const BLANK_CALLBACK = `raw_body = '', normalized = NULL, retry_until = NULL,
  request = '{"method": "POST", "query": "", "headers": {}, "erased": true}'`;

/** The tries of a delivery without what receivers answered. */
export const BLANK_LOG = `coalesce((SELECT jsonb_agg(t.try - 'response' - 'error' ORDER BY t.n) FROM jsonb_array_elements(attempt_log) WITH ORDINALITY AS t(try, n)), '[]')`;

/** The person's messages, by the index of recipients. */
export const PAGE_MESSAGES = `SELECT m.id, m.created_at::text AS at, q.message_id IS NOT NULL AS open
  FROM messages m LEFT JOIN message_queue q ON q.message_id = m.id
  WHERE m.client_id = $1 AND m.recipient = $2 AND m.id > $3 ORDER BY m.id LIMIT $4`;

/** Emails to the person among others, or with the address in other letters: no index knows those. */
export const PAGE_MAILS = `SELECT p.id, p.created_at::text AS at, q.message_id IS NOT NULL AS open,
    p.channel = 'email' AND (lower(p.recipient) = $2 OR EXISTS (
      SELECT 1 FROM unnest(ARRAY['to', 'cc', 'bcc']) AS l(name)
        CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(p.content -> l.name) WHEN 'array' THEN p.content -> l.name ELSE '[]' END) AS r(who)
      WHERE lower(r.who ->> 'email') = $2)) AS hit
  FROM (SELECT id, created_at, channel, recipient, content FROM messages
        WHERE client_id = $1 AND (created_at, id) > ($3::timestamptz, $4) ORDER BY created_at, id LIMIT $5) p
  LEFT JOIN message_queue q ON q.message_id = p.id ORDER BY p.created_at, p.id`;

/**
 * Takes what is personal from messages that nobody has in hand, and from their events and what was to follow them. $1 tenant, $2 ids, $3 times, $4
 * address, $5 hash, $6 pattern, $7 what stands for a match.
 *
 * The version grows, so that no process writes from what it remembers of the message.
 */
export const ERASE_MESSAGES = `WITH found AS MATERIALIZED (
    SELECT m.id, m.created_at, m.config_id, m.external_id FROM unnest($2::text[], $3::timestamptz[]) AS i(id, at)
    JOIN messages m ON m.id = i.id AND m.created_at = i.at
    WHERE m.client_id = $1 AND NOT EXISTS (SELECT 1 FROM message_queue q WHERE q.message_id = m.id)
    ORDER BY m.id FOR NO KEY UPDATE OF m
  ), mapped AS (
    DELETE FROM external_ids x USING found f WHERE x.config_id = f.config_id AND x.external_id = f.external_id AND f.external_id ~ $6
  ), erased AS (
    UPDATE messages m SET
      recipient = CASE WHEN lower(m.recipient) = lower($4) THEN $5 ELSE m.recipient END,
      content = '{}', metadata = NULL,
      reference = CASE WHEN m.reference ~ $6 THEN NULL ELSE m.reference END,
      tags = CASE WHEN array_to_string(m.tags, ' ') ~ $6 THEN NULL ELSE m.tags END,
      external_id = CASE WHEN m.external_id ~ $6 THEN NULL ELSE m.external_id END,
      parts = CASE WHEN m.parts::text ~ $6 THEN NULL ELSE m.parts END,
      attempts = regexp_replace(m.attempts::text, $6, $7, 'g')::jsonb,
      error_message = regexp_replace(m.error_message, $6, $7, 'g'),
      version = m.version + 1, updated_at = now()
    FROM found f WHERE m.id = f.id AND m.created_at = f.created_at RETURNING m.id
  ), told AS (
    UPDATE events e SET data = regexp_replace((e.data - ${PERSONAL_MEMBERS})::text, $6, $7, 'g')::jsonb
      || CASE WHEN lower(e.data ->> 'to') = lower($4) THEN jsonb_build_object('to', $5::text) ELSE '{}' END
    WHERE e.client_id = $1 AND e.message_id IN (SELECT id FROM found) RETURNING 1
  ), followed AS (
    UPDATE message_fallbacks f SET body = NULL, state = CASE WHEN f.state IN ('waiting', 'held') THEN 'skipped' ELSE f.state END,
      recipient = CASE WHEN lower(f.recipient) = lower($4) THEN $5 ELSE f.recipient END,
      error = regexp_replace(f.error::text, $6, $7, 'g')::jsonb
    WHERE f.client_id = $1 AND f.message_id IN (SELECT id FROM found) RETURNING 1
  )
  SELECT (SELECT count(*)::int FROM erased) AS messages, (SELECT count(*)::int FROM told) AS events, (SELECT count(*)::int FROM followed) AS fallbacks`;

/** A page of what the person wrote, with its events and deliveries. $1 tenant, $2 address, $3 hash, $4 pattern, $5 replacement, $6 after, $7 most. */
export const ERASE_INBOUND = `WITH page AS MATERIALIZED (
    SELECT id, created_at, event_id FROM inbound_messages WHERE client_id = $1 AND sender = $2 AND id > $6 ORDER BY id LIMIT $7
  ), erased AS (
    UPDATE inbound_messages m SET sender = $3, text = '', detail = NULL,
      external_id = CASE WHEN m.external_id ~ $4 THEN NULL ELSE m.external_id END
    FROM page p WHERE m.client_id = $1 AND m.id = p.id AND m.created_at = p.created_at
  ), told AS (
    UPDATE events e SET data = regexp_replace((e.data - ${PERSONAL_MEMBERS})::text, $4, $5, 'g')::jsonb || jsonb_build_object('from', $3::text, 'text', '')
    WHERE e.client_id = $1 AND e.id IN (SELECT event_id FROM page) RETURNING 1
  ), delivered AS (
    UPDATE inbound_deliveries d SET attempt_log = ${BLANK_LOG} FROM page p
    WHERE d.client_id = $1 AND d.inbound_id = p.id AND d.inbound_created_at = p.created_at RETURNING 1
  )
  SELECT (SELECT count(*)::int FROM page) AS inbound, (SELECT max(id) FROM page) AS last, (SELECT count(*)::int FROM told) AS events,
    (SELECT count(*)::int FROM delivered) AS deliveries`;

/** A page of raw callbacks: those about the person's messages, and those that name the person. $1 tenant, $2 hash, $3 pattern, $4 after, $5 most. */
export const ERASE_CALLBACKS = `WITH page AS MATERIALIZED (
    SELECT id, created_at FROM provider_events WHERE client_id = $1 AND id > $4 ORDER BY id LIMIT $5
  ), erased AS (
    UPDATE provider_events e SET ${BLANK_CALLBACK}, external_id = CASE WHEN e.external_id ~ $3 THEN NULL ELSE e.external_id END
    FROM page p
    WHERE e.id = p.id AND e.created_at = p.created_at AND NOT e.request ? 'erased' AND (
      e.message_id IN (SELECT id FROM messages WHERE client_id = $1 AND recipient = $2)
      OR encode(e.raw_body, 'escape') ~ $3 OR e.request::text ~ $3 OR e.normalized::text ~ $3 OR e.external_id ~ $3)
    RETURNING 1
  )
  SELECT (SELECT count(*)::int FROM page) AS seen, (SELECT max(id) FROM page) AS last, (SELECT count(*)::int FROM erased) AS provider_events`;

/** Late events about the person's messages: what clients are told of those is the same as before, without what is personal. */
export const ERASE_LATE_EVENTS = `UPDATE events e SET data = e.data - ${PERSONAL_MEMBERS}
  WHERE e.client_id = $1 AND e.message_id IN (SELECT id FROM messages WHERE client_id = $1 AND recipient = $2) AND e.data ?| ${PERSONAL_MEMBERS}`;

/** The endpoints that a tenant has deliveries of, those that are deleted too: one look into the index for each endpoint that there is. */
export const ENDPOINTS = `WITH RECURSIVE e AS (
    (SELECT endpoint_id, client_id FROM webhook_deliveries ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT n.endpoint_id, n.client_id FROM e CROSS JOIN LATERAL (
      SELECT endpoint_id, client_id FROM webhook_deliveries WHERE endpoint_id > e.endpoint_id ORDER BY endpoint_id LIMIT 1) n
  )
  SELECT endpoint_id FROM e WHERE client_id = $1 AND endpoint_id > $2 ORDER BY endpoint_id LIMIT 1`;

/** A page of an endpoint's deliveries. $1 tenant, $2 hash, $3 pattern, $4 endpoint, $5 after, $6 most. */
export const ERASE_DELIVERIES = `WITH page AS MATERIALIZED (
    SELECT endpoint_id, id, created_at FROM webhook_deliveries WHERE endpoint_id = $4 AND id > $5 ORDER BY id LIMIT $6
  ), erased AS (
    UPDATE webhook_deliveries d SET attempt_log = ${BLANK_LOG} FROM page p
    WHERE d.client_id = $1 AND d.endpoint_id = p.endpoint_id AND d.id = p.id AND d.created_at = p.created_at
      AND d.attempt_log::text ~ '"(response|error)": "'
      AND (d.attempt_log::text ~ $3 OR d.message_id IN (SELECT id FROM messages WHERE client_id = $1 AND recipient = $2))
    RETURNING 1
  )
  SELECT (SELECT count(*)::int FROM page) AS seen, (SELECT max(id) FROM page) AS last, (SELECT count(*)::int FROM erased) AS deliveries`;

/** Whoever is on the list stays there, by a hash: nothing more is sent, and nobody can read who it is. $1 tenant, $2 address, $3 hash. */
export const HASH_SUPPRESSIONS = `UPDATE suppressions s SET recipient = $3, detail = NULL
  WHERE s.client_id = $1 AND s.recipient = $2
    AND NOT EXISTS (SELECT 1 FROM suppressions o WHERE o.client_id = $1 AND o.channel = s.channel AND o.recipient = $3)`;
/** Who was entered again after an earlier erasure is there by the hash already. */
export const DROP_SUPPRESSIONS = 'DELETE FROM suppressions WHERE client_id = $1 AND recipient = $2';

export const ERASE_FALLBACKS = `UPDATE message_fallbacks SET recipient = $3, body = NULL,
    state = CASE WHEN state IN ('waiting', 'held') THEN 'skipped' ELSE state END
  WHERE client_id = $1 AND recipient = $2`;

export const ERASE_PARTS = 'DELETE FROM inbound_parts WHERE client_id = $1 AND sender = $2';

export const ERASE_ALERTS = `UPDATE alerts SET subject = regexp_replace(subject, $2, $3, 'g'), detail = regexp_replace(detail, $2, $3, 'g'),
    data = regexp_replace(data::text, $2, $3, 'g')::jsonb
  WHERE client_id = $1 AND (subject ~ $2 OR detail ~ $2 OR data::text ~ $2)`;
