import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { EVENT_TYPES } from '../../platform/events/event-store';

export class EventsQueryDto {
  @ApiPropertyOptional({
    description: '`meta.next_cursor` of the call before. Left out: from the oldest event that is kept.',
    example: 'WzEsImV2ZW50cyIsIjc0MiIsIjE3IiwiMjAyNi0wMS0zMFQxMjowMDowMC4wMDBaIl0',
  })
  @IsOptional()
  @IsString()
  @MaxLength(1000)
  after?: string;

  @ApiPropertyOptional({
    description: 'Types of events, separated by commas. Left out: all.',
    example: 'message.delivered,message.failed',
  })
  @IsOptional()
  @IsString()
  @MaxLength(1000)
  types?: string;

  @ApiPropertyOptional({
    description: 'Most events of an answer.',
    type: 'integer',
    minimum: 1,
    maximum: 200,
    default: 50,
    example: 50,
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit: number = 50;
}

/** The same fields as the body of a webhook delivery. */
export class EventView {
  @ApiProperty({
    description: 'Id of the fact; the same in the feed, in every delivery and in every repeat of it.',
    example: 'evt_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  id: string;

  @ApiProperty({
    description: 'What happened.',
    enum: EVENT_TYPES,
    enumName: 'EventType',
    example: 'message.delivered',
  })
  event: string;

  @ApiProperty({
    description: 'The details; which fields depends on the type.',
    type: 'object',
    additionalProperties: true,
    example: { message_id: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8', status: 'delivered', channel: 'sms' },
  })
  data: Record<string, unknown>;

  @ApiProperty({ description: 'When it was recorded.', format: 'date-time', example: '2026-01-31T12:00:00.000Z' })
  created_at: string;
}
