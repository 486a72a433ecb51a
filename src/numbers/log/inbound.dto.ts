import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Length } from 'class-validator';
import { CHANNELS } from '../../kernel/channel';
import {
  INBOUND_DELIVERY_STATUSES,
  INBOUND_STATES,
  type InboundDeliveryStatus,
  type InboundState,
} from '../../messaging/inbound/inbound.types';
import { PageQueryDto } from '../../platform/http/cursor';
import { PhoneFilter, PhoneOrTimeFilter, TimeFilter } from '../../platform/http/query-text';

const TIME = '2026-01-31T12:00:00Z';

/** `GET /v1/inbound` */
export class ListInboundQueryDto extends PageQueryDto {
  @ApiPropertyOptional({
    description: 'Only to this number: the number itself, or its id.',
    maxLength: 64,
    example: '+393399957000',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  @PhoneFilter()
  number?: string;

  @ApiPropertyOptional({
    description: 'A sender: only from it. A time (RFC 3339, or a date in UTC): only what was received at it or later.',
    maxLength: 255,
    example: '+393331234567',
  })
  @IsOptional()
  @IsString()
  @Length(1, 255)
  @PhoneOrTimeFilter()
  from?: string;

  @ApiPropertyOptional({
    description:
      'A number of yours: as `number`. A time (RFC 3339, or a date in UTC): only what was received before it.',
    maxLength: 255,
    example: '2026-02-01T00:00:00Z',
  })
  @IsOptional()
  @IsString()
  @Length(1, 255)
  @PhoneOrTimeFilter()
  to?: string;

  @ApiPropertyOptional({ description: 'Only this channel.', enum: CHANNELS, example: 'sms' })
  @IsOptional()
  @IsIn(CHANNELS)
  channel?: string;

  @ApiPropertyOptional({
    description: '`unmatched`: only what came to numbers that you do not have.',
    enum: INBOUND_STATES,
    example: 'unmatched',
  })
  @IsOptional()
  @IsIn(INBOUND_STATES)
  state?: InboundState;

  @ApiPropertyOptional({
    description: 'Only messages with a delivery in this status.',
    enum: INBOUND_DELIVERY_STATUSES,
    example: 'dead_letter',
  })
  @IsOptional()
  @IsIn(INBOUND_DELIVERY_STATUSES)
  delivery_status?: InboundDeliveryStatus;

  @ApiPropertyOptional({
    description: 'Only what was received at this time or later: RFC 3339, or a date (UTC).',
    format: 'date-time',
    example: TIME,
  })
  @IsOptional()
  @TimeFilter()
  received_from?: string;

  @ApiPropertyOptional({
    description: 'Only what was received before this time: RFC 3339, or a date (UTC).',
    format: 'date-time',
    example: TIME,
  })
  @IsOptional()
  @TimeFilter()
  received_to?: string;
}

/** Which deliveries are made again. */
export const REDELIVERED = ['dead_letter', 'all'] as const;
export type Redelivered = (typeof REDELIVERED)[number];

/** `POST /v1/inbound/{id}/redeliver` */
export class RedeliverInboundDto {
  @ApiPropertyOptional({
    description:
      '`dead_letter`: only to receivers that did not get it. `all`: to all of the number’s. Default: the dead letters if there are any, else all.',
    enum: REDELIVERED,
    example: 'dead_letter',
  })
  @IsOptional()
  @IsIn(REDELIVERED)
  deliveries?: Redelivered;
}

export const BULK_REDELIVERED = ['dead_letter', 'unmatched', 'all'] as const;
export type BulkRedelivered = (typeof BULK_REDELIVERED)[number];

/** `POST /v1/inbound/redeliver` */
export class RedeliverManyDto {
  @ApiPropertyOptional({
    description: 'Only messages to this number: the number itself, or its id.',
    maxLength: 64,
    example: '+393399957000',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  number?: string;

  @ApiPropertyOptional({
    description:
      '`dead_letter`: what a receiver did not get, to that receiver. `unmatched`: what came to a number before it was yours. `all`: every message of the time, to all receivers of its number; needs `from` and `to`.',
    enum: BULK_REDELIVERED,
    default: 'dead_letter',
    example: 'dead_letter',
  })
  @IsOptional()
  @IsIn(BULK_REDELIVERED)
  status?: BulkRedelivered;

  @ApiPropertyOptional({
    description: 'Only what was received at this time or later: RFC 3339, or a date (UTC).',
    format: 'date-time',
    example: TIME,
  })
  @IsOptional()
  @TimeFilter()
  from?: string;

  @ApiPropertyOptional({
    description: 'Only what was received before this time: RFC 3339, or a date (UTC).',
    format: 'date-time',
    example: TIME,
  })
  @IsOptional()
  @TimeFilter()
  to?: string;
}
