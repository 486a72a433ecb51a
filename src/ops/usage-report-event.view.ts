import { ApiProperty } from '@nestjs/swagger';
import { UsageFiguresView } from '../gateway/usage/usage.view';

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

  @ApiProperty({ description: 'The figures of the period.', type: UsageFiguresView })
  totals: UsageFiguresView;

  @ApiProperty({ description: 'The figures of the period before.', type: UsageFiguresView })
  previous_totals: UsageFiguresView;

  @ApiProperty({
    description: 'Path of the whole report.',
    example: '/v1/usage/reports/rpt_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  download: string;
}
