import { ApiPropertyOptional } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsISO8601,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  MaxLength,
} from 'class-validator';
import { CHANNELS, PRIORITIES, type Priority } from '../../kernel/channel';
import { EmptyIsAbsent } from '../../platform/http/empty-list.decorator';
import { LONGEST_AFTER_SECONDS, MOST_FALLBACKS } from '../fallback/fallback-limits';

/** RFC 3339 with a time zone; a local time would mean something else on each machine. */
const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

/** The optional fields that every send has. */
export class SendOptionsDto {
  @ApiPropertyOptional({
    description: 'Forces one gateway: a provider key, or one of your configs (`cfg_…`).',
    example: 'twilio',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  provider?: string;

  @ApiPropertyOptional({
    description: 'Validate and route as a real send, store as `simulated`, hand to no provider.',
    example: false,
  })
  @IsOptional()
  @IsBoolean()
  sandbox?: boolean;

  @ApiPropertyOptional({ description: 'Say what would happen and why; store nothing.', example: false })
  @IsOptional()
  @IsBoolean()
  dry_run?: boolean;

  @ApiPropertyOptional({
    description:
      'Your key for this send; the same as the header `Idempotency-Key`. A repeat with the same body gets the first answer and sends nothing.',
    example: 'order-8121-confirmation',
    minLength: 1,
    maxLength: 255,
  })
  @IsOptional()
  @IsString()
  @Length(1, 255)
  idempotency_key?: string;

  @ApiPropertyOptional({
    description: 'Your own id: echoed and searchable, no dedupe.',
    example: 'order-8121',
    maxLength: 128,
  })
  @IsOptional()
  @IsString()
  @MaxLength(128)
  reference?: string;

  @ApiPropertyOptional({
    description: 'When to send, up to 35 days ahead.',
    example: '2026-12-01T08:30:00Z',
    format: 'date-time',
  })
  @IsOptional()
  @IsISO8601({ strict: true })
  @Matches(RFC3339, { message: 'send_at must be an RFC 3339 time with a time zone' })
  send_at?: string;

  @ApiPropertyOptional({
    description:
      'When the message loses its worth: checked before every attempt, a late one is `expired` and not sent.',
    example: '2026-12-01T09:30:00Z',
    format: 'date-time',
  })
  @IsOptional()
  @IsISO8601({ strict: true })
  @Matches(RFC3339, { message: 'expires_at must be an RFC 3339 time with a time zone' })
  expires_at?: string;

  @ApiPropertyOptional({
    description: 'Order among your own waiting messages.',
    enum: PRIORITIES,
    example: 'normal',
    default: 'normal',
  })
  @IsOptional()
  @IsIn(PRIORITIES)
  priority?: Priority;

  @ApiPropertyOptional({
    description: 'At most 20 pairs of strings (keys ≤ 64, values ≤ 512 characters), echoed in answers and events.',
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { order_id: '8121' },
  })
  @IsOptional()
  @IsObject()
  metadata?: Record<string, string>;

  @ApiPropertyOptional({
    description: 'At most 10 labels (≤ 64 characters each) to find messages by.',
    type: [String],
    example: ['orders'],
  })
  @IsOptional()
  @EmptyIsAbsent()
  @IsArray()
  @ArrayMaxSize(10)
  @IsString({ each: true })
  @Length(1, 64, { each: true })
  tags?: string[];

  @ApiPropertyOptional({
    description:
      'What to send by another channel, or to another recipient, when this message is not delivered: each item has a `channel`, `after_seconds` (from the message, or from the item before it, without a delivery; a failure brings it on at once) and the fields of that channel’s send. `reference`, `metadata` and `tags` are those of the message unless the item has its own. A provider that reports no deliveries (push, Telegram) never reports one, so what follows it goes out unless it is canceled.',
    type: 'array',
    items: {
      type: 'object',
      additionalProperties: true,
      required: ['channel', 'after_seconds'],
      properties: {
        channel: { type: 'string', enum: [...CHANNELS], description: 'The channel it goes by.', example: 'sms' },
        after_seconds: {
          type: 'integer',
          minimum: 1,
          maximum: LONGEST_AFTER_SECONDS,
          description: 'How long to wait for a delivery.',
          example: 300,
        },
      },
    },
    maxItems: MOST_FALLBACKS,
    example: [{ channel: 'sms', after_seconds: 300, to: '+393331234568', message: 'Your parcel is here.' }],
  })
  @IsOptional()
  @IsArray()
  @EmptyIsAbsent()
  @ArrayMaxSize(MOST_FALLBACKS)
  on_undelivered?: unknown[];
}
