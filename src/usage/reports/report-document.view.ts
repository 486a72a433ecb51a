import { ApiProperty } from '@nestjs/swagger';
import { ErrorBudgetView, UsageFiguresView, UsageQuotaView } from '../../gateway/usage/usage.view';
import { REPORT_PERIODS, type ReportPeriodKind } from './report-period';

/** A stretch of time, in UTC and as clocks and calendars show it. */
export class ReportSpanView {
  @ApiProperty({ description: 'Its first instant.', format: 'date-time', example: '2026-03-28T23:00:00.000Z' })
  from: string;

  @ApiProperty({ description: 'The first instant after it.', format: 'date-time', example: '2026-03-29T22:00:00.000Z' })
  to: string;

  @ApiProperty({
    description: '`from` by the clocks of the time zone.',
    format: 'date-time',
    example: '2026-03-29T00:00:00.000+01:00',
  })
  local_from: string;

  @ApiProperty({
    description: '`to` by the clocks of the time zone.',
    format: 'date-time',
    example: '2026-03-30T00:00:00.000+02:00',
  })
  local_to: string;

  @ApiProperty({
    description: 'How long it is, hours. A day has 23 or 25 where clocks are changed.',
    type: 'number',
    example: 23,
  })
  hours: number;
}

export class ReportPreviousView extends ReportSpanView {
  @ApiProperty({ description: 'Its figures in sum.', type: UsageFiguresView })
  totals: UsageFiguresView;
}

export class ReportDayView extends UsageFiguresView {
  @ApiProperty({ description: 'The day, by the calendar of the time zone.', format: 'date', example: '2026-03-29' })
  day: string;

  @ApiProperty({ description: 'Hours of it that are in the period.', type: 'number', example: 23 })
  hours: number;
}

export class ReportChannelView extends UsageFiguresView {
  @ApiProperty({ description: 'The channel.', example: 'email' })
  channel: string;
}

export class ReportConfigView extends UsageFiguresView {
  @ApiProperty({
    description: 'Id of the provider account; null: of messages that no gateway was asked for.',
    type: String,
    nullable: true,
    example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  config_id: string | null;

  @ApiProperty({ description: 'Provider key.', type: String, nullable: true, example: 'sendgrid' })
  gateway: string | null;

  @ApiProperty({ description: 'Its name.', type: String, nullable: true, example: 'SendGrid, main account' })
  display_name: string | null;

  @ApiProperty({ description: 'The channel that it serves.', type: String, example: 'email' })
  channel: string;
}

export class ReportTenantView extends UsageFiguresView {
  @ApiProperty({ description: 'The tenant.', example: 'demo_4k2j9x0m3b7q1w5z' })
  client_id: string;

  @ApiProperty({ description: 'Its name.', example: 'Demo' })
  name: string;
}

/** What is known of a period whose report is made. */
export class ReportHeadView extends ReportSpanView {
  @ApiProperty({ description: 'Id of the report.', example: 'rpt_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  report_id: string;

  @ApiProperty({ description: 'Id of the schedule.', example: 'sch_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  schedule_id: string;

  @ApiProperty({
    description: 'Whose usage it is; null: of all tenants.',
    type: String,
    nullable: true,
    example: 'demo_4k2j9x0m3b7q1w5z',
  })
  client_id: string | null;

  @ApiProperty({ description: 'What it covers.', enum: REPORT_PERIODS, example: 'daily' })
  period: ReportPeriodKind;

  @ApiProperty({ description: 'IANA name of the time zone.', example: 'Europe/Rome' })
  time_zone: string;

  @ApiProperty({
    description: 'When it was made. It says what was so then: what providers report later is not in it.',
    format: 'date-time',
    example: '2026-03-30T05:30:02.120Z',
  })
  generated_at: string;
}

/** A report as it is downloaded: the figures of a period. */
export class UsageReportDocument extends ReportHeadView {
  @ApiProperty({ description: 'Name of the tenant; null: all tenants.', type: String, nullable: true, example: 'Demo' })
  name: string | null;

  @ApiProperty({ description: 'The figures in sum.', type: UsageFiguresView })
  totals: UsageFiguresView;

  @ApiProperty({
    description: 'How far the quota was used when the report was made; null without one, and over all tenants.',
    type: UsageQuotaView,
    nullable: true,
  })
  quota: UsageQuotaView | null;

  @ApiProperty({
    description: 'How much could still go wrong when the report was made; null over all tenants.',
    type: ErrorBudgetView,
    nullable: true,
  })
  error_budget: ErrorBudgetView | null;

  @ApiProperty({ description: 'The period before, as it looks now.', type: ReportPreviousView })
  previous: ReportPreviousView;

  @ApiProperty({ description: 'Every day of the period.', type: [ReportDayView] })
  days: ReportDayView[];

  @ApiProperty({ description: 'Channels that have figures.', type: [ReportChannelView] })
  channels: ReportChannelView[];

  @ApiProperty({ description: 'Provider accounts that have figures; of one tenant only.', type: [ReportConfigView] })
  configs: ReportConfigView[];

  @ApiProperty({
    description: 'Tenants that have figures; in a report over all tenants only.',
    type: [ReportTenantView],
  })
  tenants: ReportTenantView[];
}
