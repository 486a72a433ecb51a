import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsOptional,
  IsString,
  MaxLength,
  MinLength,
} from 'class-validator';
import { EVENT_TYPES } from '../../../platform/events/event-store';
import { PageQueryDto } from '../../../platform/http/cursor';
import { Nullable } from '../../../platform/http/nullable.decorator';
import { TimeFilter } from '../../../platform/http/query-text';
import { WEBHOOK_FORMATS, type WebhookFormat } from '../webhook-event';

/** What `events` may name. */
export const EVENT_FILTERS = ['*', ...EVENT_TYPES] as const;
export const DELIVERY_STATUSES = ['pending', 'succeeded', 'dead_letter'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

const URL_DESCRIPTION =
  'Where events are posted: http or https, without user name. An address that leads to an internal network is refused, here and again at each connection.';
const EVENTS_DESCRIPTION = 'Which events it gets; `*` stands for all, also for types that come later.';
const FORMAT_DESCRIPTION =
  '`json`: `{"event", "data", "id", "created_at"}`. `form`: urlencoded `event`, `id`, `created_at` and the fields of `data` by their own names; an object or a list is JSON text, null is empty, and a field that is called like one of the first three becomes `data_<name>`.';

export class CreateWebhookDto {
  @ApiProperty({ description: URL_DESCRIPTION, format: 'uri', maxLength: 2048, example: 'https://example.com/unimsg' })
  @IsString()
  @MinLength(1)
  @MaxLength(2048)
  url: string;

  @ApiProperty({
    description: EVENTS_DESCRIPTION,
    enum: EVENT_FILTERS,
    enumName: 'EventFilter',
    isArray: true,
    minItems: 1,
    example: ['message.delivered', 'message.failed'],
  })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(EVENT_FILTERS.length)
  @ArrayUnique()
  @IsIn(EVENT_FILTERS, { each: true })
  events: Array<(typeof EVENT_FILTERS)[number]>;

  @ApiPropertyOptional({ description: 'What it is for.', maxLength: 500, example: 'order system' })
  @IsOptional()
  @IsString()
  @MaxLength(500)
  description?: string;

  @ApiPropertyOptional({
    description: 'False: it gets nothing until it is enabled.',
    default: true,
    example: true,
  })
  @IsOptional()
  @IsBoolean()
  enabled?: boolean;

  @ApiPropertyOptional({ description: FORMAT_DESCRIPTION, enum: WEBHOOK_FORMATS, default: 'json', example: 'json' })
  @IsOptional()
  @IsIn(WEBHOOK_FORMATS)
  format?: WebhookFormat;
}

export class UpdateWebhookDto {
  @ApiPropertyOptional({
    description: URL_DESCRIPTION,
    format: 'uri',
    maxLength: 2048,
    example: 'https://example.com/unimsg',
  })
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(2048)
  url?: string;

  @ApiPropertyOptional({
    description: EVENTS_DESCRIPTION,
    enum: EVENT_FILTERS,
    enumName: 'EventFilter',
    isArray: true,
    minItems: 1,
    example: ['*'],
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(EVENT_FILTERS.length)
  @ArrayUnique()
  @IsIn(EVENT_FILTERS, { each: true })
  events?: Array<(typeof EVENT_FILTERS)[number]>;

  @ApiPropertyOptional({
    description: 'What it is for; null clears it.',
    type: String,
    nullable: true,
    maxLength: 500,
    example: 'order system',
  })
  @Nullable()
  @IsString()
  @MaxLength(500)
  description?: string | null;

  @ApiPropertyOptional({
    description:
      'False: events wait. True: it gets those that waited, and then the new ones; the count of failures begins anew.',
    example: true,
  })
  @IsOptional()
  @IsBoolean()
  enabled?: boolean;

  @ApiPropertyOptional({ description: FORMAT_DESCRIPTION, enum: WEBHOOK_FORMATS, example: 'form' })
  @IsOptional()
  @IsIn(WEBHOOK_FORMATS)
  format?: WebhookFormat;
}

export class ListDeliveriesQueryDto extends PageQueryDto {
  @ApiPropertyOptional({
    description: 'Only deliveries in this status.',
    enum: DELIVERY_STATUSES,
    example: 'dead_letter',
  })
  @IsOptional()
  @IsIn(DELIVERY_STATUSES)
  status?: DeliveryStatus;

  @ApiPropertyOptional({
    description: 'Only deliveries of this type of event.',
    enum: EVENT_TYPES,
    enumName: 'EventType',
    example: 'message.delivered',
  })
  @IsOptional()
  @IsIn(EVENT_TYPES)
  event?: string;
}

export class ReplayDto {
  @ApiProperty({
    description: 'Events created at this time or later.',
    format: 'date-time',
    example: '2026-01-31T12:00:00Z',
  })
  @TimeFilter()
  from: string;

  @ApiProperty({
    description: 'Events created before this time.',
    format: 'date-time',
    example: '2026-01-31T18:00:00Z',
  })
  @TimeFilter()
  to: string;

  @ApiPropertyOptional({
    description:
      'True: only dead letters, and what has failed and waits for its next try. Default: every event of the time that the endpoint takes, also those from before it was made.',
    default: false,
    example: true,
  })
  @IsOptional()
  @IsBoolean()
  only_failed?: boolean;
}
