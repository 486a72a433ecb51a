import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsOptional,
  IsString,
  Length,
  Matches,
  MaxLength,
  ValidateNested,
} from 'class-validator';
import { REPORT_PERIODS, type ReportPeriodKind } from './report-period';
import { REPORT_FORMATS, type ReportFormat } from './report-schedule';

/** Most places that the reports of one schedule go to. */
export const MOST_DELIVERIES = 10;
const DESTINATIONS = ['email', 'webhook'] as const;

const PERIOD =
  'What a report covers: a day, a week from Monday to Sunday, or a calendar month, by the clocks of `time_zone`. Where they are changed a day has 23 or 25 hours.';
const ZONE = 'The time zone, by its IANA name.';
const AT =
  '`HH:MM` by the clocks of `time_zone`: when the report of the period that just ended is made, on the day after its last one; not within five minutes of its end, so that the last messages are in. A time that clocks leave out is taken as much later as they jump, one that they show twice the first time.';
const FORMAT = 'What the report is downloaded as, and what is attached to its mails.';

/** Where a report goes. */
export class ReportDestinationDto {
  @ApiProperty({
    description:
      '`email`: a mail with the figures, and the report attached. `webhook`: the event `usage.report`, to the webhook endpoints that take it and to the feed of events.',
    enum: DESTINATIONS,
    example: 'email',
  })
  @IsIn(DESTINATIONS)
  type: (typeof DESTINATIONS)[number];

  @ApiPropertyOptional({
    description: 'Needed for `email`, and only there: one address.',
    maxLength: 254,
    example: 'reports@example.com',
  })
  @IsOptional()
  @IsString()
  @Length(1, 254)
  to?: string;
}

/** Where the operator's report goes: events are tenants'. */
export class OperatorDestinationDto {
  @ApiProperty({ description: 'A mail with the figures, and the report attached.', enum: ['email'], example: 'email' })
  @IsIn(['email'])
  type: 'email';

  @ApiProperty({ description: 'One address.', maxLength: 254, example: 'operations@example.com' })
  @IsString()
  @Length(1, 254)
  to: string;
}

/** What all schedules say. */
class TimetableDto {
  @ApiProperty({ description: PERIOD, enum: REPORT_PERIODS, example: 'daily' })
  @IsIn(REPORT_PERIODS)
  period: ReportPeriodKind;

  @ApiProperty({ description: ZONE, maxLength: 64, example: 'Europe/Rome' })
  @IsString()
  @MaxLength(64)
  time_zone: string;

  @ApiProperty({ description: AT, pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$', example: '07:30' })
  @IsString()
  @Matches(/^([01]\d|2[0-3]):[0-5]\d$/, { message: 'at must be a time of day, HH:MM' })
  at: string;

  @ApiPropertyOptional({ description: FORMAT, enum: REPORT_FORMATS, default: 'csv', example: 'csv' })
  @IsOptional()
  @IsIn(REPORT_FORMATS)
  format?: ReportFormat;
}

/** `POST /v1/usage/schedules` */
export class CreateReportScheduleDto extends TimetableDto {
  @ApiProperty({
    description: 'Where its reports go. They are kept for download besides.',
    type: [ReportDestinationDto],
    minItems: 1,
    maxItems: MOST_DELIVERIES,
    example: [{ type: 'email', to: 'reports@example.com' }, { type: 'webhook' }],
  })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MOST_DELIVERIES)
  @ValidateNested({ each: true })
  @Type(() => ReportDestinationDto)
  deliver: ReportDestinationDto[];
}

/** `POST /admin/usage/schedules` */
export class CreateOperatorScheduleDto extends TimetableDto {
  @ApiPropertyOptional({
    description: 'Where its reports go. Default: nowhere; they are kept for download.',
    type: [OperatorDestinationDto],
    maxItems: MOST_DELIVERIES,
    example: [{ type: 'email', to: 'operations@example.com' }],
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MOST_DELIVERIES)
  @ValidateNested({ each: true })
  @Type(() => OperatorDestinationDto)
  deliver?: OperatorDestinationDto[];
}

/** What can be changed: periods cannot, or two of them would overlap. */
class ChangedTimetableDto {
  @ApiPropertyOptional({ description: AT, pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$', example: '08:00' })
  @IsOptional()
  @IsString()
  @Matches(/^([01]\d|2[0-3]):[0-5]\d$/, { message: 'at must be a time of day, HH:MM' })
  at?: string;

  @ApiPropertyOptional({ description: FORMAT, enum: REPORT_FORMATS, example: 'json' })
  @IsOptional()
  @IsIn(REPORT_FORMATS)
  format?: ReportFormat;
}

/** `PATCH /v1/usage/schedules/{id}` */
export class UpdateReportScheduleDto extends ChangedTimetableDto {
  @ApiPropertyOptional({
    description: 'Where its next reports go, in place of where they went.',
    type: [ReportDestinationDto],
    minItems: 1,
    maxItems: MOST_DELIVERIES,
    example: [{ type: 'webhook' }],
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MOST_DELIVERIES)
  @ValidateNested({ each: true })
  @Type(() => ReportDestinationDto)
  deliver?: ReportDestinationDto[];
}

/** `PATCH /admin/usage/schedules/{id}` */
export class UpdateOperatorScheduleDto extends ChangedTimetableDto {
  @ApiPropertyOptional({
    description: 'Where its next reports go, in place of where they went.',
    type: [OperatorDestinationDto],
    maxItems: MOST_DELIVERIES,
    example: [{ type: 'email', to: 'operations@example.com' }],
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MOST_DELIVERIES)
  @ValidateNested({ each: true })
  @Type(() => OperatorDestinationDto)
  deliver?: OperatorDestinationDto[];
}
