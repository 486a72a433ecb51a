import { ApiProperty } from '@nestjs/swagger';
import type { UsageFigures } from '../../gateway/usage/usage-figures';
import { share } from '../../gateway/usage/usage-figures';
import { REPORT_PERIODS, type ReportPeriodKind } from './report-period';

const count = (description: string, example: number) => ApiProperty({ description, type: 'integer', example });
const rate = (description: string, example: number) =>
  ApiProperty({ description, type: 'number', nullable: true, example });

export class ReportCostView {
  @ApiProperty({ description: 'ISO 4217.', example: 'EUR' })
  currency: string;

  @ApiProperty({ description: 'A decimal, exact.', example: '12.3450' })
  amount: string;
}

/** The figures of `GET /v1/usage`, of a part of a report. */
export class ReportFiguresView {
  @count('Messages handed to a provider, or ended as failed: those that are on their way, delivered and failed.', 4200)
  sends: number;

  @count('Of those, with a provider that had not reported yet.', 40)
  sent: number;

  @count('Of those, delivered; read ones included.', 4100)
  delivered: number;

  @count('Of those, failed; undelivered ones included.', 60)
  failed: number;

  @rate('delivered / sends, 0 to 1; null without sends.', 0.9762)
  delivery_rate: number | null;

  @rate('failed / sends, 0 to 1; null without sends.', 0.0143)
  error_rate: number | null;

  @count('How often emails were opened.', 2100)
  opens: number;

  @count('Emails that were opened at least once.', 1596)
  unique_opens: number;

  @rate('unique_opens / sends of emails, 0 to 1; null without any.', 0.38)
  open_rate: number | null;

  @count('How often links in emails were clicked.', 420)
  clicks: number;

  @count('Emails in which a link was clicked at least once.', 390)
  unique_clicks: number;

  @rate('unique_clicks / sends of emails, 0 to 1; null without any.', 0.0929)
  click_rate: number | null;

  @count('Emails that came back.', 21)
  bounces: number;

  @count('Emails that were called spam.', 1)
  complaints: number;

  @count('Unsubscribes.', 3)
  unsubscribes: number;

  @count('Parts of the sends, for channels that have parts.', 4410)
  segments: number;

  @count('Messages that came in.', 12)
  inbound: number;

  @ApiProperty({ description: 'What providers asked, as far as they said, by currency.', type: [ReportCostView] })
  cost: ReportCostView[];

  static of(figures: UsageFigures): ReportFiguresView {
    return {
      sends: figures.sends,
      sent: figures.sent,
      delivered: figures.delivered,
      failed: figures.failed,
      delivery_rate: share(figures.delivered, figures.sends),
      error_rate: share(figures.failed, figures.sends),
      opens: figures.opens,
      unique_opens: figures.uniqueOpens,
      open_rate: share(figures.uniqueOpens, figures.sends),
      clicks: figures.clicks,
      unique_clicks: figures.uniqueClicks,
      click_rate: share(figures.uniqueClicks, figures.sends),
      bounces: figures.bounces,
      complaints: figures.complaints,
      unsubscribes: figures.unsubscribes,
      segments: figures.segments,
      inbound: figures.inbound,
      cost: figures.cost.map(({ currency, amount }) => ({ currency, amount })),
    };
  }
}

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
  @ApiProperty({ description: 'Its figures in sum.', type: ReportFiguresView })
  totals: ReportFiguresView;
}

export class ReportDayView extends ReportFiguresView {
  @ApiProperty({ description: 'The day, by the calendar of the time zone.', format: 'date', example: '2026-03-29' })
  day: string;

  @ApiProperty({ description: 'Hours of it that are in the period.', type: 'number', example: 23 })
  hours: number;
}

export class ReportChannelView extends ReportFiguresView {
  @ApiProperty({ description: 'The channel.', example: 'email' })
  channel: string;
}

export class ReportConfigView extends ReportFiguresView {
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

export class ReportTenantView extends ReportFiguresView {
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

  @ApiProperty({ description: 'The figures in sum.', type: ReportFiguresView })
  totals: ReportFiguresView;

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
