import { ApiProperty } from '@nestjs/swagger';

const count = (description: string, example: number) => ApiProperty({ description, type: 'integer', example });
const rate = (description: string, example: number) =>
  ApiProperty({ description, type: 'number', nullable: true, example });

export class UsageReportCostData {
  @ApiProperty({ description: 'ISO 4217.', example: 'EUR' })
  currency: string;

  @ApiProperty({ description: 'A decimal, exact.', example: '12.3450' })
  amount: string;
}

export class UsageReportFiguresData {
  @count('Messages handed to a provider, or ended as failed.', 4200)
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

  @rate('As in `GET /v1/usage`, 0 to 1; null without any.', 0.38)
  open_rate: number | null;

  @count('How often links in emails were clicked.', 420)
  clicks: number;

  @count('Emails in which a link was clicked at least once.', 390)
  unique_clicks: number;

  @rate('As in `GET /v1/usage`, 0 to 1; null without any.', 0.0929)
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

  @ApiProperty({ description: 'What providers asked, as far as they said, by currency.', type: [UsageReportCostData] })
  cost: UsageReportCostData[];
}

/** `data` of `usage.report`. */
export class UsageReportEventData {
  @ApiProperty({ description: 'Id of the report.', example: 'rpt_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  report_id: string;

  @ApiProperty({ description: 'Id of its schedule.', example: 'sch_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  schedule_id: string;

  @ApiProperty({ description: 'Your tenant.', example: 'demo_4k2j9x0m3b7q1w5z' })
  client_id: string;

  @ApiProperty({ description: 'What it covers.', enum: ['daily', 'weekly', 'monthly'], example: 'daily' })
  period: string;

  @ApiProperty({ description: 'IANA name of the time zone.', example: 'Europe/Rome' })
  time_zone: string;

  @ApiProperty({
    description: 'The first instant of the period.',
    format: 'date-time',
    example: '2026-03-28T23:00:00.000Z',
  })
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
    description: 'How long the period is, hours. A day has 23 or 25 where clocks are changed.',
    type: 'number',
    example: 23,
  })
  hours: number;

  @ApiProperty({
    description: 'When it was made; it says what was so then.',
    format: 'date-time',
    example: '2026-03-30T05:30:02.120Z',
  })
  generated_at: string;

  @ApiProperty({ description: 'The figures of the period.', type: UsageReportFiguresData })
  totals: UsageReportFiguresData;

  @ApiProperty({ description: 'The figures of the period before.', type: UsageReportFiguresData })
  previous_totals: UsageReportFiguresData;

  @ApiProperty({
    description: 'Path of the whole report.',
    example: '/v1/usage/reports/rpt_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  download: string;
}
