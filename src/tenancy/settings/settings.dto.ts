import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { CHANNELS, type Channel } from '../../kernel/channel';
import { isEmailAddress } from '../../kernel/email-address';
import { isTimeZone } from '../../kernel/time-zone';
import { Nullable } from '../../platform/http/nullable.decorator';
import { RECIPIENT_ZONE } from '../tenant-settings';

const TIME_OF_DAY = /^([01]\d|2[0-3]):[0-5]\d$/;
const MOST_ALERT_EMAILS = 20;
const MOST_DAYS = 3_650;
const LOWEST_OBJECTIVE = 0.5;
const HIGHEST_OBJECTIVE = 0.9999;

function IsTimeZoneName(also?: string): PropertyDecorator {
  return ValidateBy({
    name: 'isTimeZone',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && (value === also || isTimeZone(value)),
      defaultMessage: () =>
        `$property must be ${also === undefined ? '' : `\`${also}\` or `}the IANA name of a time zone, such as Europe/Rome`,
    },
  });
}

export class QuietHoursDto {
  @ApiProperty({
    description: 'When the quiet begins, `HH:MM` by the clock of `time_zone`.',
    pattern: TIME_OF_DAY.source,
    example: '21:00',
  })
  @IsString()
  @Matches(TIME_OF_DAY, { message: 'start must be a time of day such as 21:00' })
  start: string;

  @ApiProperty({
    description:
      'When it ends, `HH:MM`; from then on messages are sent. Earlier than `start`: on the next day. The same as `start` is refused.',
    pattern: TIME_OF_DAY.source,
    example: '08:00',
  })
  @IsString()
  @Matches(TIME_OF_DAY, { message: 'end must be a time of day such as 08:00' })
  end: string;

  @ApiPropertyOptional({
    description:
      'Whose clock counts: an IANA name, or `recipient`: the time zone of the country, or area, that the number belongs to; where that has several, the quiet holds as long as it holds in one of them. A recipient who has no number (email, push, Telegram) goes by the `time_zone` of the settings.',
    default: RECIPIENT_ZONE,
    example: RECIPIENT_ZONE,
  })
  @IsOptional()
  @IsTimeZoneName(RECIPIENT_ZONE)
  time_zone?: string;

  @ApiPropertyOptional({
    description: 'The channels that it holds for. Default: all of them.',
    enum: CHANNELS,
    isArray: true,
    minItems: 1,
    example: ['sms', 'whatsapp'],
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(CHANNELS.length)
  @ArrayUnique()
  @IsIn(CHANNELS, { each: true })
  channels?: Channel[];
}

export class RetentionDto {
  @ApiPropertyOptional({
    description:
      'Days after which the bodies of messages, the texts of inbound ones, raw callbacks and personal fields of events are erased; null: kept. Left out: as it was.',
    type: 'integer',
    minimum: 1,
    maximum: MOST_DAYS,
    nullable: true,
    example: 90,
  })
  @Nullable()
  @IsInt()
  @Min(1)
  @Max(MOST_DAYS)
  body_days?: number | null;

  @ApiPropertyOptional({
    description: 'Days after which whole records are deleted; null: kept. Left out: as it was.',
    type: 'integer',
    minimum: 1,
    maximum: MOST_DAYS,
    nullable: true,
    example: 730,
  })
  @Nullable()
  @IsInt()
  @Min(1)
  @Max(MOST_DAYS)
  record_days?: number | null;
}

/** `PATCH /v1/settings`: what is left out stays as it is; null takes the default. */
export class UpdateSettingsDto {
  @ApiPropertyOptional({
    description: 'IANA name; days and months of quotas, usage and reports begin by it. Null: UTC.',
    nullable: true,
    type: String,
    example: 'Europe/Rome',
  })
  @Nullable()
  @IsTimeZoneName()
  time_zone?: string | null;

  @ApiPropertyOptional({
    description: 'Who is mailed when an alert is raised or cleared. Replaces the list; null: nobody.',
    type: [String],
    maxItems: MOST_ALERT_EMAILS,
    nullable: true,
    example: ['ops@acme.example'],
  })
  @Nullable()
  @IsArray()
  @ArrayMaxSize(MOST_ALERT_EMAILS)
  @ArrayUnique()
  @ValidateBy(
    {
      name: 'isEmail',
      validator: {
        validate: (value: unknown) => typeof value === 'string' && isEmailAddress(value),
        defaultMessage: () => 'must be an email address',
      },
    },
    { each: true },
  )
  alert_emails?: string[] | null;

  @ApiPropertyOptional({
    description: 'When recipients are left alone. Replaces all of it; null: never.',
    type: QuietHoursDto,
    nullable: true,
  })
  @Nullable()
  @ValidateNested()
  @Type(() => QuietHoursDto)
  quiet_hours?: QuietHoursDto | null;

  @ApiPropertyOptional({
    description: 'When what is stored is erased. Null: never.',
    type: RetentionDto,
    nullable: true,
  })
  @Nullable()
  @ValidateNested()
  @Type(() => RetentionDto)
  retention?: RetentionDto | null;

  @ApiPropertyOptional({
    description: 'Share of messages that must not fail; the error budget is what is left to 1. Null: 0.95.',
    minimum: LOWEST_OBJECTIVE,
    maximum: HIGHEST_OBJECTIVE,
    nullable: true,
    type: Number,
    example: 0.95,
  })
  @Nullable()
  @IsNumber({ maxDecimalPlaces: 6 })
  @Min(LOWEST_OBJECTIVE)
  @Max(HIGHEST_OBJECTIVE)
  error_budget_objective?: number | null;
}
