import { Injectable } from '@nestjs/common';
import type { UsageFiguresView } from '../../gateway/usage/usage.view';
import { Problem } from '../../kernel/problem';
import { Database } from '../../platform/database/database';
import type { UsageReportDocument } from './report-document.view';
import type { KeptAttempt } from './report-mails';
import type { ReportPeriodKind } from './report-period';
import { asOwner, milliseconds, OWNED, type ReportFormat } from './report-schedule';

/** What is known of a report, without the document. Times in milliseconds since the epoch. */
export interface ReportRow {
  id: string;
  schedule_id: string;
  period: ReportPeriodKind;
  time_zone: string;
  period_start: number;
  period_end: number;
  format: ReportFormat;
  generated_at: number;
  expires_at: number;
  totals: UsageFiguresView;
}

export interface DeliveryRow {
  id: string;
  report_id: string;
  type: 'email' | 'webhook';
  recipient: string | null;
  event_id: string | null;
  status: 'pending' | 'sent' | 'failed';
  attempts: number;
  next_attempt_at: number | null;
  attempt_log: KeptAttempt[];
  updated_at: number;
}

const COLUMNS = `id, schedule_id, period, time_zone, ${['period_start', 'period_end', 'generated_at', 'expires_at'].map(milliseconds).join(', ')}, format, totals`;
const DELIVERY_COLUMNS = `id, report_id, type, recipient, event_id, status, attempts, ${['next_attempt_at', 'updated_at'].map(milliseconds).join(', ')}, attempt_log`;

/** A report and what came of its deliveries. */
export interface ReportWithDeliveries {
  report: ReportRow;
  deliveries: DeliveryRow[];
}

/** Reads reports of a tenant, or of the operator (`null`). */
@Injectable()
export class ReportStore {
  constructor(private readonly database: Database) {}

  /** Newest first. `before`: the last id of the page before. */
  list(
    owner: string | null,
    scheduleId: string | undefined,
    before: string | undefined,
    limit: number,
  ): Promise<ReportWithDeliveries[]> {
    return this.find(
      owner,
      '($2::text IS NULL OR schedule_id = $2) AND ($3::text IS NULL OR id < $3) ORDER BY id DESC LIMIT $4',
      [scheduleId ?? null, before ?? null, limit],
    );
  }

  /** @throws Problem not_found */
  async get(owner: string | null, id: string): Promise<ReportWithDeliveries> {
    const [found] = await this.find(owner, 'id = $2', [id]);
    if (found === undefined) throw Problem.notFound('usage report');
    return found;
  }

  /** @throws Problem not_found */
  async document(owner: string | null, id: string): Promise<{ document: UsageReportDocument; format: ReportFormat }> {
    const [row] = await asOwner(this.database, owner, (tx) =>
      tx.query<{ document: UsageReportDocument; format: ReportFormat }>(
        `SELECT document, format FROM usage_reports WHERE ${OWNED} AND id = $2`,
        [owner, id],
      ),
    );
    if (row === undefined) throw Problem.notFound('usage report');
    return row;
  }

  private find(owner: string | null, rest: string, values: unknown[]): Promise<ReportWithDeliveries[]> {
    return asOwner(this.database, owner, async (tx) => {
      const reports = await tx.query<ReportRow>(`SELECT ${COLUMNS} FROM usage_reports WHERE ${OWNED} AND ${rest}`, [
        owner,
        ...values,
      ]);
      const deliveries = await tx.query<DeliveryRow>(
        `SELECT ${DELIVERY_COLUMNS} FROM report_deliveries WHERE ${OWNED} AND report_id = ANY($2) ORDER BY position`,
        [owner, reports.map(({ id }) => id)],
      );
      return reports.map((report) => ({ report, deliveries: deliveries.filter((one) => one.report_id === report.id) }));
    });
  }
}
