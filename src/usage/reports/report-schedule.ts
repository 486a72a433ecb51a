import type { Database, Transaction } from '../../platform/database/database';
import type { ReportPeriodKind, Timetable } from './report-period';

export const REPORT_FORMATS = ['csv', 'json'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** Where a report goes: a mail with it attached, or the event `usage.report`. */
export type ReportDestination = { type: 'email'; to: string } | { type: 'webhook' };

/** What a client says of a schedule. */
export interface ScheduleSettings extends Timetable {
  readonly deliver: readonly ReportDestination[];
  readonly format: ReportFormat;
}

/** A row of `report_schedules`. Times in milliseconds since the epoch. */
export interface ScheduleRow {
  id: string;
  /** Null: the operator's, over all tenants. */
  client_id: string | null;
  period: ReportPeriodKind;
  time_zone: string;
  at: string;
  format: ReportFormat;
  deliver: ReportDestination[];
  /** Where the next period to be reported begins. */
  next_from: number;
  next_due_at: number;
  created_at: number;
  updated_at: number;
}

const TIMES = ['next_from', 'next_due_at', 'created_at', 'updated_at'];

/** Select list of a {@link ScheduleRow}. */
export const SCHEDULE_COLUMNS = `id, client_id, period, time_zone, at, format, deliver, ${TIMES.map(milliseconds).join(', ')}`;

/** A column of time as milliseconds since the epoch. */
export function milliseconds(column: string): string {
  return `(extract(epoch FROM ${column}) * 1000)::float8 AS ${column}`;
}

export function timetableOf({ period, time_zone: timeZone, at }: ScheduleRow): Timetable {
  return { period, timeZone, at };
}

/** Condition that a row belongs to `$1`; null: to the operator. */
export const OWNED = '(client_id = $1 OR ($1::text IS NULL AND client_id IS NULL))';

/** A transaction that sees what belongs to the owner: a tenant's own rows; for the operator (`null`) all of them. */
export function asOwner<T>(
  database: Database,
  owner: string | null,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  return owner === null ? database.transaction(work) : database.tenant(owner, work);
}
