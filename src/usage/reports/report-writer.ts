import { newId } from '../../kernel/ids';
import type { Database, Transaction } from '../../platform/database/database';
import type { EventStore } from '../../platform/events/event-store';
import type { UsageReportDocument } from './report-document.view';
import type { ReportPeriod } from './report-period';
import { reportEventData } from './report-event';
import type { ScheduleRow } from './report-schedule';

/** How long reports are kept. */
export const KEPT_DAYS = 400;
const KEPT_MS = KEPT_DAYS * 86_400_000;
const DELETE_BATCH = 1_000;

/** A report to be written. */
export interface NewReport {
  /** As it was read before the figures were. */
  schedule: ScheduleRow;
  document: UsageReportDocument;
  /** The period after the one that is reported. */
  next: ReportPeriod;
}

/**
 * Writes a report, its event, the mails to be sent and where the schedule goes on, all or nothing. Answers false, and writes nothing, when the schedule
 * is gone or the period is reported already.
 */
export async function writeReport(
  tx: Transaction,
  events: EventStore,
  { schedule, document, next }: NewReport,
): Promise<boolean> {
  const [current] = await tx.query<Pick<ScheduleRow, 'deliver' | 'format'>>(
    `SELECT deliver, format FROM report_schedules WHERE id = $1 AND next_from = to_timestamp($2 / 1000.0) FOR UPDATE`,
    [schedule.id, schedule.next_from],
  );
  if (current === undefined) return false;
  const now = Date.parse(document.generated_at);
  await tx.execute(
    `INSERT INTO usage_reports (id, client_id, schedule_id, period, time_zone, period_start, period_end, format, generated_at, expires_at, document, totals)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, to_timestamp($10 / 1000.0), $11, $12)`,
    [
      document.report_id,
      schedule.client_id,
      schedule.id,
      document.period,
      document.time_zone,
      document.from,
      document.to,
      current.format,
      document.generated_at,
      now + KEPT_MS,
      JSON.stringify(document),
      JSON.stringify(document.totals),
    ],
  );
  await tx.execute(
    `UPDATE report_schedules SET next_from = to_timestamp($2 / 1000.0), next_due_at = to_timestamp($3 / 1000.0), retry_at = NULL WHERE id = $1`,
    [schedule.id, next.from, next.due],
  );
  let eventId: string | null = null;
  if (schedule.client_id !== null && current.deliver.some(({ type }) => type === 'webhook')) {
    eventId = newId('event');
    const data = reportEventData(document);
    await events.insert(tx, [
      { id: eventId, clientId: schedule.client_id, type: 'usage.report', occurredAt: now, data },
    ]);
  }
  await tx.execute(
    `INSERT INTO report_deliveries (id, client_id, report_id, position, type, recipient, event_id, status, next_attempt_at, updated_at)
     SELECT d.id, $1, $2, d.position, d.type, d.recipient, d.event_id, d.status, CASE d.status WHEN 'pending' THEN $3::timestamptz END, $3
     FROM unnest($4::text[], $5::smallint[], $6::text[], $7::text[], $8::text[], $9::text[])
       AS d(id, position, type, recipient, event_id, status)`,
    [
      schedule.client_id,
      document.report_id,
      document.generated_at,
      current.deliver.map(() => newId('reportDelivery')),
      current.deliver.map((_, index) => index),
      current.deliver.map(({ type }) => type),
      current.deliver.map((one) => (one.type === 'email' ? one.to : null)),
      current.deliver.map(({ type }) => (type === 'webhook' ? eventId : null)),
      // An event is delivered by the webhook lanes, which keep their own account of it.
      current.deliver.map(({ type }) => (type === 'webhook' ? 'sent' : 'pending')),
    ],
  );
  return true;
}

/** Deletes reports whose time is over. */
export async function deleteExpired(database: Database, now: number): Promise<void> {
  await database.execute(
    `DELETE FROM usage_reports WHERE id = ANY(ARRAY(
       SELECT id FROM usage_reports WHERE expires_at <= to_timestamp($1 / 1000.0) LIMIT ${DELETE_BATCH} FOR UPDATE SKIP LOCKED))`,
    [now],
  );
}
