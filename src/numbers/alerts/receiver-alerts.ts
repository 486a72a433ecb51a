import type { AlertBook, AlertEnd, NewAlert } from '../../platform/alerts/alert-book';
import { statement, type Database } from '../../platform/database/database';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What the rates are of. */
export const WINDOW_MS = 15 * MINUTE;
/** An answer that took longer is slow. */
export const SLOW_MS = 5_000;
/** Fewer tries say nothing of a rate. */
const FEWEST_TRIES = 20;
/** Failures by tries above which a receiver fails. */
const MOST_FAILURES = 0.01;
/** A receiver that has answered, and never slowly, for this long is no longer slow. One that was not asked stays so for the window. */
const QUICK_MS = 5 * MINUTE;
/** After this without a message the sender has stopped writing to a number that nobody has. */
const UNMATCHED_MS = 24 * HOUR;
const KEPT_MS = HOUR;
/** That an alert lasts is noted once in this time. */
const NOTE_MS = MINUTE;

const LOCK = statement(
  'numbers.alerts_lock',
  `SELECT FROM alert_watches WHERE rule = 'receivers' FOR UPDATE SKIP LOCKED`,
);

/** Of the window, and of its last minutes. */
const SUMS = `sum(m.tries)::int AS tries, sum(m.failures)::int AS failures, sum(m.slow)::int AS slow, max(m.slowest_ms) AS slowest_ms,
  coalesce(sum(m.tries) FILTER (WHERE m.minute >= to_timestamp($2::float8 / 1000)), 0)::int AS late_tries,
  coalesce(sum(m.slow) FILTER (WHERE m.minute >= to_timestamp($2::float8 / 1000)), 0)::int AS late_slow`;

const TROUBLE = statement(
  'numbers.alerts_trouble',
  `SELECT s.*, r.client_id, r.number_id, r.type, n.number
   FROM (SELECT receiver_id, ${SUMS} FROM receiver_minutes m
         WHERE m.minute >= to_timestamp($1::float8 / 1000) AND m.receiver_id IN (
           SELECT receiver_id FROM receiver_minutes
           WHERE minute >= to_timestamp($1::float8 / 1000) AND (failures > 0 OR slow > 0))
         GROUP BY receiver_id) s
   JOIN number_receivers r ON r.id = s.receiver_id AND r.removed_at IS NULL
   JOIN numbers n ON n.id = r.number_id
   WHERE s.late_slow > 0 OR (s.tries >= ${FEWEST_TRIES} AND s.failures > s.tries * ${MOST_FAILURES})`,
);

/** Every alert of this chapter that lasts, with what its end depends on. */
const OPEN = statement(
  'numbers.alerts_open',
  `SELECT a.client_id, a.alert, a.subject, coalesce(s.tries, 0) AS tries, coalesce(s.failures, 0) AS failures, coalesce(s.slow, 0) AS slow,
     coalesce(s.slowest_ms, 0) AS slowest_ms, coalesce(s.late_tries, 0) AS late_tries, coalesce(s.late_slow, 0) AS late_slow,
     r.id IS NULL OR n.id IS NULL AS removed,
     a.last_seen_at < to_timestamp($3::float8 / 1000) AS forgotten, a.last_seen_at > to_timestamp($4::float8 / 1000) AS fresh,
     a.alert = 'dead_letter' AND (
       EXISTS (SELECT FROM inbound_deliveries d WHERE d.receiver_id = a.subject AND d.status = 'dead_letter') OR
       EXISTS (SELECT FROM inbound_deliveries d WHERE d.receiver_id = a.subject AND d.status = 'pending' AND d.next_attempt_at IS NOT NULL)) AS undelivered,
     a.alert = 'inbound_unmatched' AND EXISTS (
       SELECT FROM numbers o WHERE o.client_id = a.client_id AND (o.number = a.subject OR o.config_id = a.subject)
         AND o.channel = a.data->>'channel' AND o.provider = a.data->>'gateway'
         AND (o.config_id IS NULL OR o.config_id = a.data->>'config_id')) AS assigned
   FROM alerts a
   LEFT JOIN number_receivers r ON r.id = a.subject AND r.removed_at IS NULL
   LEFT JOIN numbers n ON n.id = r.number_id
   LEFT JOIN LATERAL (SELECT ${SUMS} FROM receiver_minutes m
     WHERE m.receiver_id = a.subject AND m.minute >= to_timestamp($1::float8 / 1000)) s ON true
   WHERE a.cleared_at IS NULL AND a.alert IN ('receiver_slow', 'delivery_error_rate', 'dead_letter', 'inbound_unmatched')`,
);

const FORGET = statement(
  'numbers.alerts_forget',
  'DELETE FROM receiver_minutes WHERE minute < to_timestamp($1::float8 / 1000)',
);

interface TroubleRow {
  receiver_id: string;
  client_id: string;
  number_id: string;
  type: 'webhook' | 'email';
  number: string;
  tries: number;
  failures: number;
  slow: number;
  slowest_ms: number;
  late_slow: number;
}

interface OpenRow {
  client_id: string;
  alert: 'receiver_slow' | 'delivery_error_rate' | 'dead_letter' | 'inbound_unmatched';
  subject: string;
  tries: number;
  failures: number;
  slow: number;
  slowest_ms: number;
  late_tries: number;
  late_slow: number;
  removed: boolean;
  forgotten: boolean;
  fresh: boolean;
  undelivered: boolean;
  assigned: boolean;
}

/**
 * Raises alerts about receivers that are slow or fail, and ends what the delivery of messages and their acceptance have raised: dead letters and
 * messages to unknown numbers. One process at a time looks; answers the tenants whose alerts have changed.
 */
export async function watchReceivers(database: Database, alerts: AlertBook, now: number): Promise<Set<string>> {
  const window = [minuteOf(now - WINDOW_MS), minuteOf(now - QUICK_MS)];
  return database.transaction(async (tx) => {
    if ((await tx.query(LOCK)).length === 0) return new Set<string>();
    const open = await tx.query<OpenRow>(OPEN, [...window, now - UNMATCHED_MS, now - NOTE_MS]);
    const fresh = new Set(open.flatMap((row) => (row.fresh ? keyOf(row) : [])));
    const trouble = await tx.query<TroubleRow>(TROUBLE, window);
    const raised = await alerts.raise(
      tx,
      trouble
        .flatMap((row) => [...slowAlert(row, now), ...rateAlert(row, now)])
        .filter((alert) => !fresh.has(keyOf(alert))),
    );
    const ended = await alerts.clear(tx, overAlerts(open, now));
    await tx.execute(FORGET, [now - KEPT_MS]);
    return new Set([...raised, ...ended].map(({ clientId }) => clientId));
  });
}

function keyOf({ alert, subject }: { alert: string; subject: string }): string {
  return `${alert} ${subject}`;
}

function overAlerts(open: readonly OpenRow[], now: number): AlertEnd[] {
  return open.flatMap((row) => {
    const { client_id: clientId, alert, subject } = row;
    const detail = whyOver(row);
    return detail === undefined ? [] : [{ clientId, alert, subject, detail, occurredAt: now, ...figures(row) }];
  });
}

/** Undefined: it lasts. */
function whyOver(row: OpenRow): string | undefined {
  if (row.alert === 'inbound_unmatched') {
    if (row.assigned) return 'The number is assigned now. Deliver what came before with POST /v1/inbound/redeliver.';
    return row.forgotten ? 'No message came to this number for 24 hours.' : undefined;
  }
  if (row.removed) return 'The receiver was removed.';
  if (row.alert === 'dead_letter') return row.undelivered ? undefined : 'No message waits for this receiver any more.';
  if (row.alert === 'receiver_slow') {
    if (row.late_slow > 0) return undefined;
    if (row.late_tries > 0) return 'It has answered within 5 seconds for 5 minutes.';
    return row.slow > 0 ? undefined : 'It had nothing to answer for 15 minutes.';
  }
  if (row.tries === 0) return 'Nothing was delivered to it in the last 15 minutes.';
  return fails(row) ? undefined : `${row.failures} of the last 15 minutes’ ${row.tries} tries failed.`;
}

function figures(row: OpenRow): Pick<AlertEnd, 'data'> {
  if (row.alert === 'receiver_slow') return { data: { latency_ms: row.slowest_ms, tries: row.tries } };
  if (row.alert !== 'delivery_error_rate') return {};
  return { data: { tries: row.tries, failures: row.failures, error_rate: rateOf(row) } };
}

function slowAlert(row: TroubleRow, occurredAt: number): NewAlert[] {
  // How long a mail server takes says nothing of who reads the mail.
  if (row.late_slow === 0 || row.type === 'email') return [];
  return [
    {
      ...subjectOf(row),
      alert: 'receiver_slow',
      detail: `The receiver of messages to ${row.number} took up to ${(row.slowest_ms / 1000).toFixed(1)} seconds to answer; more than 5 is slow. Answer first, then do the work.`,
      data: { ...dataOf(row), latency_ms: row.slowest_ms, tries: row.tries },
      occurredAt,
    },
  ];
}

function rateAlert(row: TroubleRow, occurredAt: number): NewAlert[] {
  if (row.tries < FEWEST_TRIES || !fails(row)) return [];
  const percent = (rateOf(row) * 100).toFixed(1);
  return [
    {
      ...subjectOf(row),
      alert: 'delivery_error_rate',
      detail: `${row.failures} of ${row.tries} tries (${percent} %) to deliver messages to ${row.number} failed at this receiver in the last 15 minutes.`,
      data: { ...dataOf(row), tries: row.tries, failures: row.failures, error_rate: rateOf(row) },
      occurredAt,
    },
  ];
}

const fails = ({ tries, failures }: Pick<OpenRow, 'tries' | 'failures'>): boolean => failures > tries * MOST_FAILURES;

const rateOf = ({ tries, failures }: Pick<OpenRow, 'tries' | 'failures'>): number =>
  tries === 0 ? 0 : Math.round((failures / tries) * 10_000) / 10_000;

function subjectOf({ client_id: clientId, receiver_id: subject }: TroubleRow): Pick<NewAlert, 'clientId' | 'subject'> {
  return { clientId, subject };
}

function dataOf({ receiver_id, number_id, number }: TroubleRow): Record<string, unknown> {
  return { receiver_id, number_id, number };
}

/** The beginning of the minute that a time is in. */
function minuteOf(at: number): number {
  return Math.floor(at / MINUTE) * MINUTE;
}
