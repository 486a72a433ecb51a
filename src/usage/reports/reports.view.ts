import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { DateTime } from 'luxon';
import { UsageFiguresView } from '../../gateway/usage/usage.view';
import { ReportSpanView } from './report-document.view';
import type { KeptAttempt } from './report-mails';
import { hoursOf, REPORT_PERIODS, type ReportPeriodKind } from './report-period';
import { REPORT_FORMATS, type ReportFormat } from './report-schedule';
import type { DeliveryRow, ReportWithDeliveries } from './report-store';

const DATE = '2026-03-30T05:30:02.120Z';
const iso = (at: number): string => new Date(at).toISOString();

/** One try to mail a report. */
export class ReportAttemptView {
  @ApiProperty({ description: 'When it began.', format: 'date-time', example: DATE })
  at: string;

  @ApiProperty({ description: 'How long it took, milliseconds.', type: 'integer', example: 84 })
  latency_ms: number;

  @ApiPropertyOptional({
    description:
      'Why it failed; left out when the mail was taken. Stable words such as `mail_recipient_refused`, `mail_deferred`, `mail_not_configured`, `connection_refused`, `timeout`.',
    example: 'mail_deferred',
  })
  error?: string;

  @ApiPropertyOptional({
    description: 'The mail server’s last words.',
    example: '451 4.7.1 Greylisted, try again later',
  })
  reply?: string;
}

export class ReportDeliveryView {
  @ApiProperty({ description: 'Id of the delivery.', example: 'rdl_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'By mail, or as an event.', enum: ['email', 'webhook'], example: 'email' })
  type: 'email' | 'webhook';

  @ApiProperty({
    description: 'The address; null for `webhook`.',
    type: String,
    nullable: true,
    example: 'reports@example.com',
  })
  to: string | null;

  @ApiProperty({
    description:
      'The event that tells of it; null for `email`. What came of it at each endpoint: `GET /v1/webhooks/{id}/deliveries`.',
    type: String,
    nullable: true,
    example: null,
  })
  event_id: string | null;

  @ApiProperty({
    description:
      '`pending`: to be tried, or tried again. `sent`: the mail server took it, or the event is in the feed. `failed`: the server refused it for good, or the last of nine tries over about two days failed.',
    enum: ['pending', 'sent', 'failed'],
    example: 'sent',
  })
  status: 'pending' | 'sent' | 'failed';

  @ApiProperty({
    description: 'When it is tried next; null when it is not.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  next_attempt_at: string | null;

  @ApiProperty({ description: 'Every try that ended, oldest first.', type: [ReportAttemptView] })
  attempts: KeptAttempt[];

  @ApiProperty({ description: 'When it last changed.', format: 'date-time', example: DATE })
  updated_at: string;

  static of(row: DeliveryRow): ReportDeliveryView {
    return {
      id: row.id,
      type: row.type,
      to: row.recipient,
      event_id: row.event_id,
      status: row.status,
      next_attempt_at: row.next_attempt_at === null ? null : iso(row.next_attempt_at),
      attempts: row.attempt_log,
      updated_at: iso(row.updated_at),
    };
  }
}

/** A report without its document. */
export class UsageReportView extends ReportSpanView {
  @ApiProperty({ description: 'Id of the report.', example: 'rpt_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({
    description: 'Id of its schedule, which may be deleted since.',
    example: 'sch_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  schedule_id: string;

  @ApiProperty({ description: 'What it covers.', enum: REPORT_PERIODS, example: 'daily' })
  period: ReportPeriodKind;

  @ApiProperty({ description: 'IANA name of the time zone.', example: 'Europe/Rome' })
  time_zone: string;

  @ApiProperty({ description: 'What it is downloaded as.', enum: REPORT_FORMATS, example: 'csv' })
  format: ReportFormat;

  @ApiProperty({ description: 'When it was made; it says what was so then.', format: 'date-time', example: DATE })
  generated_at: string;

  @ApiProperty({
    description: 'Until when it is kept: 400 days.',
    format: 'date-time',
    example: '2027-05-04T05:30:02.120Z',
  })
  expires_at: string;

  @ApiProperty({ description: 'The figures in sum.', type: UsageFiguresView })
  totals: UsageFiguresView;

  @ApiProperty({ description: 'What came of its deliveries.', type: [ReportDeliveryView] })
  deliveries: ReportDeliveryView[];

  @ApiProperty({
    description: 'Path of the whole report.',
    example: '/v1/usage/reports/rpt_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  download: string;

  /** @param path where reports of its owner are */
  static of({ report, deliveries }: ReportWithDeliveries, path: string): UsageReportView {
    const { time_zone: zone, period_start: from, period_end: to } = report;
    return {
      id: report.id,
      schedule_id: report.schedule_id,
      period: report.period,
      time_zone: zone,
      from: iso(from),
      to: iso(to),
      local_from: DateTime.fromMillis(from, { zone }).toISO()!,
      local_to: DateTime.fromMillis(to, { zone }).toISO()!,
      hours: hoursOf({ from, to }),
      format: report.format,
      generated_at: iso(report.generated_at),
      expires_at: iso(report.expires_at),
      totals: report.totals,
      deliveries: deliveries.map((one) => ReportDeliveryView.of(one)),
      download: `${path}/${report.id}`,
    };
  }
}
