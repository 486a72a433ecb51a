import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { REPORT_PERIODS, type ReportPeriodKind } from './report-period';
import { REPORT_FORMATS, type ReportDestination, type ReportFormat, type ScheduleRow } from './report-schedule';

const DATE = '2026-03-28T10:00:00.000Z';

export class ReportDestinationView {
  @ApiProperty({ description: 'By mail, or as an event.', enum: ['email', 'webhook'], example: 'email' })
  type: 'email' | 'webhook';

  @ApiPropertyOptional({ description: 'The address; only of `email`.', example: 'reports@example.com' })
  to?: string;
}

export class ReportScheduleView {
  @ApiProperty({ description: 'Id of the schedule.', example: 'sch_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'What a report covers.', enum: REPORT_PERIODS, example: 'daily' })
  period: ReportPeriodKind;

  @ApiProperty({ description: 'IANA name of the time zone.', example: 'Europe/Rome' })
  time_zone: string;

  @ApiProperty({ description: 'Local time at which reports are made.', example: '07:30' })
  at: string;

  @ApiProperty({ description: 'What reports are downloaded and attached as.', enum: REPORT_FORMATS, example: 'csv' })
  format: ReportFormat;

  @ApiProperty({ description: 'Where its reports go.', type: [ReportDestinationView] })
  deliver: ReportDestination[];

  @ApiProperty({
    description: 'Where the next period to be reported begins; reports follow each other without gap or overlap.',
    format: 'date-time',
    example: '2026-03-27T23:00:00.000Z',
  })
  next_period_from: string;

  @ApiProperty({ description: 'When it is reported.', format: 'date-time', example: '2026-03-29T05:30:00.000Z' })
  next_report_at: string;

  @ApiProperty({ description: 'When it was made.', format: 'date-time', example: DATE })
  created_at: string;

  @ApiProperty({ description: 'When it was last changed.', format: 'date-time', example: DATE })
  updated_at: string;

  static of(row: ScheduleRow): ReportScheduleView {
    return {
      id: row.id,
      period: row.period,
      time_zone: row.time_zone,
      at: row.at,
      format: row.format,
      deliver: row.deliver,
      next_period_from: new Date(row.next_from).toISOString(),
      next_report_at: new Date(row.next_due_at).toISOString(),
      created_at: new Date(row.created_at).toISOString(),
      updated_at: new Date(row.updated_at).toISOString(),
    };
  }
}

export class DeletedReportScheduleView {
  @ApiProperty({ description: 'Id of the schedule.', example: 'sch_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'Always true.', enum: [true], example: true })
  deleted: true;
}
