import { statement, type Database, type Transaction } from '../../platform/database/database';

/** A place in the one order in which events are handed out. */
export interface EventPosition {
  readonly tx: string;
  readonly seq: string;
  /** Events behind it were created at most a day before this (PostgreSQL's text of a time); keeps readers out of old partitions. */
  readonly floor: string;
}

/** An event as it is read for handing out. */
export interface EventRow {
  id: string;
  type: string;
  message_id: string | null;
  /** As PostgreSQL writes it, to the microsecond. */
  created_at: string;
  tx: string;
  seq: string;
  /** JSON text; null: a type that was not asked for. */
  data: string | null;
}

const READ = statement(
  'events.read',
  // Only below the oldest running transaction: what commits later has a higher place, so nothing is passed over. A transaction that is open for
  // more than a day is not expected to write events.
  `SELECT v.id, v.type, v.message_id, v.created_at::text AS created_at, v.tx::text AS tx, v.seq::text AS seq,
     CASE WHEN $6::text[] IS NULL OR v.type = ANY($6) THEN v.data::text END AS data
   FROM events v
   WHERE v.client_id = $1 AND (v.tx, v.seq) > ($2::xid8, $3::bigint) AND v.tx < pg_snapshot_xmin(pg_current_snapshot())
     AND v.created_at >= $4::timestamptz
   ORDER BY v.tx, v.seq LIMIT $5`,
);

/**
 * Reads a tenant's events behind a position, in order, at most `limit` of all types; those of other types come without data, so that the reader
 * can move its position over them. What a reader was given once, no later event ever comes before.
 */
export function readEvents(
  database: Pick<Database | Transaction, 'query'>,
  clientId: string,
  after: EventPosition,
  limit: number,
  types: readonly string[] | null,
): Promise<EventRow[]> {
  return database.query<EventRow>(READ, [clientId, after.tx, after.seq, after.floor, limit, types]);
}

const DAY_MS = 24 * 3600_000;

/** The place of an event. */
export function positionOf(row: EventRow): EventPosition {
  return { tx: row.tx, seq: row.seq, floor: new Date(Date.parse(rfc3339(row.created_at)) - DAY_MS).toISOString() };
}

/** PostgreSQL's text of a timestamptz in UTC (`2026-01-02 03:04:05.123456+00`) as RFC 3339 with milliseconds. */
export function rfc3339(text: string): string {
  const fraction = /^\.(\d{1,3})/.exec(text.slice(19))?.[1] ?? '';
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(3, '0')}Z`;
}
