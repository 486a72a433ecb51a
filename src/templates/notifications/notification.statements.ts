import { statement } from '../../platform/database/database';

/** Recipients that a process takes in hand at once. */
const CHUNK = 50;
/** What a process that died had in hand is taken by another one after this time; the keys of the messages keep that from sending twice. */
const LEASE_SECONDS = 15;

export const INSERT_RECIPIENTS = statement(
  'notification_recipients.insert',
  `INSERT INTO notification_recipients (notification_id, position, client_id, recipient_id, locale, channels, body, state, due_at)
   SELECT $1, i.position, $2, i.recipient_id, i.locale, string_to_array(i.channels, ','), i.body::json,
          CASE WHEN i.body IS NULL THEN 'done' ELSE 'pending' END, now()
   FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[]) AS i(position, recipient_id, locale, channels, body)`,
);

/** One notification of each tenant that has something to do, its oldest: tenants take turns. */
export const WITH_WORK = statement(
  'notifications.with_work',
  `SELECT DISTINCT ON (n.client_id) n.id, n.client_id, n.template_id, n.template_version, n.prefix, n.options, n.created_at
   FROM notifications n
   WHERE n.state IN ('queued', 'processing') AND EXISTS (
     SELECT 1 FROM notification_recipients r
     WHERE r.notification_id = n.id AND r.state = 'pending' AND r.due_at <= now() AND (r.lease_until IS NULL OR r.lease_until < now()))
   ORDER BY n.client_id, n.id`,
);

// By an array: the planner may run a subquery of IN again for each row, and lock more than it takes.
export const CLAIM = statement(
  'notification_recipients.claim',
  `UPDATE notification_recipients r SET lease_until = now() + interval '${LEASE_SECONDS} seconds', tries = r.tries + 1
   WHERE r.notification_id = $1 AND r.position = ANY(ARRAY(
     SELECT position FROM notification_recipients
     WHERE notification_id = $1 AND state = 'pending' AND due_at <= now() AND (lease_until IS NULL OR lease_until < now())
     ORDER BY due_at, position LIMIT ${CHUNK} FOR UPDATE SKIP LOCKED))
   RETURNING r.position, r.recipient_id, r.locale, r.channels, r.body, r.tries`,
);

export const RELEASE = statement(
  'notification_recipients.release',
  `UPDATE notification_recipients SET lease_until = NULL WHERE state = 'pending' AND lease_until IS NOT NULL`,
);

export const ITEMS_OF = statement(
  'notification_items.of',
  'SELECT position, channel FROM notification_items WHERE notification_id = $1 AND position = ANY($2::int[])',
);

/** Writes what came of messages, each once, and counts them. */
export const WRITE_ITEMS = statement(
  'notification_items.write',
  `WITH fresh AS (
     INSERT INTO notification_items (notification_id, position, channel, client_id, outcome, message_id, message_created_at, error)
     SELECT $1, i.position, i.channel, $2, i.outcome, i.message_id, to_timestamp(i.at / 1000.0), i.error::json
     FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::text[]) AS i(position, channel, outcome, message_id, at, error)
     ON CONFLICT DO NOTHING
     RETURNING outcome
   ), counts AS (
     SELECT count(*) FILTER (WHERE outcome = 'accepted') AS accepted, count(*) FILTER (WHERE outcome = 'replayed') AS replayed,
            count(*) FILTER (WHERE outcome = 'already_sent') AS already_sent, count(*) FILTER (WHERE outcome = 'rejected') AS rejected
     FROM fresh
   )
   UPDATE notifications n SET accepted = n.accepted + c.accepted, replayed = n.replayed + c.replayed,
     already_sent = n.already_sent + c.already_sent, rejected = n.rejected + c.rejected
   FROM counts c WHERE n.id = $1`,
);

/** Those that were canceled in the meantime stay so. */
export const SETTLE_RECIPIENTS = statement(
  'notification_recipients.settle',
  `UPDATE notification_recipients r SET lease_until = NULL,
     state = CASE WHEN r.state = 'pending' AND i.due IS NULL THEN 'done' ELSE r.state END,
     body = CASE WHEN i.due IS NULL THEN NULL ELSE r.body END,
     due_at = coalesce(to_timestamp(i.due / 1000.0), r.due_at)
   FROM unnest($2::int[], $3::float8[]) AS i(position, due) WHERE r.notification_id = $1 AND r.position = i.position`,
);

export const BEGIN = statement(
  'notifications.begin',
  `UPDATE notifications SET state = 'processing', started_at = coalesce(started_at, now()) WHERE id = $1 AND state = 'queued'`,
);

export const COMPLETE = statement(
  'notifications.complete',
  `UPDATE notifications n SET state = 'completed', finished_at = now(), started_at = coalesce(started_at, now())
   WHERE n.state IN ('queued', 'processing')
     AND NOT EXISTS (SELECT 1 FROM notification_recipients r WHERE r.notification_id = n.id AND r.state = 'pending')`,
);

/** Stops what nobody has in hand. */
export const CANCEL_RECIPIENTS = statement(
  'notification_recipients.cancel',
  `UPDATE notification_recipients SET state = 'canceled', body = NULL
   WHERE notification_id = $1 AND state = 'pending' AND (lease_until IS NULL OR lease_until < now())`,
);

/** Who stops notifications takes each for so long. */
export const CLAIM_CANCELING = statement(
  'notifications.claim_canceling',
  `UPDATE notifications SET lease_until = now() + interval '30 seconds'
   WHERE id = ANY(ARRAY(SELECT id FROM notifications WHERE state = 'canceling' AND (lease_until IS NULL OR lease_until < now())
                        ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED))
   RETURNING id, client_id`,
);

/** Messages that may not be with a provider yet. */
export const OPEN_MESSAGES = statement(
  'notification_items.open',
  `SELECT i.position, i.channel, i.message_id FROM notification_items i
   JOIN messages m ON m.id = i.message_id AND m.created_at = i.message_created_at
   WHERE i.client_id = $1 AND i.notification_id = $2 AND m.status IN ('queued', 'scheduled') AND (i.position, i.channel) > ($3::int, $4)
   ORDER BY i.position, i.channel LIMIT $5`,
);

/** One that a worker has in hand, or that came back from its hands: it may still be canceled, where its fate is known. */
export const CANCELABLE = statement(
  'notification_items.cancelable',
  `SELECT 1 FROM notification_items i
   JOIN messages m ON m.id = i.message_id AND m.created_at = i.message_created_at
   JOIN message_queue q ON q.message_id = m.id
   WHERE i.client_id = $1 AND i.notification_id = $2 AND m.status IN ('queued', 'scheduled') AND NOT m.possible_duplicate AND q.unknown_since IS NULL
   LIMIT 1`,
);

/** What was never answered, and what is older than its tenant keeps records. */
export const DELETE_OLD = statement(
  'notifications.delete_old',
  `WITH old AS (
     DELETE FROM notifications WHERE id IN (
       SELECT n.id FROM notifications n JOIN tenants t ON t.client_id = n.client_id
       WHERE (n.state = 'storing' AND n.created_at < now() - interval '1 hour')
          OR n.finished_at < now() - (t.settings -> 'retention' ->> 'record_days')::int * interval '1 day'
       LIMIT 100)
     RETURNING id
   ), items AS (DELETE FROM notification_items WHERE notification_id IN (SELECT id FROM old))
   DELETE FROM notification_recipients WHERE notification_id IN (SELECT id FROM old)`,
);
