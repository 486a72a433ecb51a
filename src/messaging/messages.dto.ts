import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn, IsOptional, IsString, Length } from 'class-validator';
import { CHANNELS, MESSAGE_STATUSES } from '../kernel/channel';
import { PageQueryDto } from '../platform/http/cursor';
import { PhoneFilter, TimeFilter } from '../platform/http/query-text';
import { AcceptedMessageView } from './record/message.view';
import { FieldErrorView } from '../platform/http/problem.view';

/** `GET /v1/messages` */
export class ListMessagesQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'Only this channel.', enum: CHANNELS, example: 'sms' })
  @IsOptional()
  @IsIn(CHANNELS)
  channel?: string;

  @ApiPropertyOptional({ description: 'Only this status.', enum: MESSAGE_STATUSES, example: 'failed' })
  @IsOptional()
  @IsIn(MESSAGE_STATUSES)
  status?: string;

  @ApiPropertyOptional({ description: 'Only to this recipient, written as in the answer.', example: '+393331234567' })
  @IsOptional()
  @IsString()
  @Length(1, 320)
  @PhoneFilter()
  to?: string;

  @ApiPropertyOptional({ description: 'Only with this tag.', example: 'orders' })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  tag?: string;

  @ApiPropertyOptional({ description: 'Only with this reference of yours.', example: 'order-8121' })
  @IsOptional()
  @IsString()
  @Length(1, 128)
  reference?: string;

  @ApiPropertyOptional({
    description: 'Accepted at this time or later: RFC 3339, or a date (UTC).',
    format: 'date-time',
    example: '2026-11-01T00:00:00Z',
  })
  @IsOptional()
  @TimeFilter()
  created_from?: string;

  @ApiPropertyOptional({
    description: 'Accepted before this time: RFC 3339, or a date (UTC).',
    format: 'date-time',
    example: '2026-12-01T00:00:00Z',
  })
  @IsOptional()
  @TimeFilter()
  created_to?: string;
}

/** `POST /v1/messages/batch`. Items are validated one by one, by their channel's own rules, so a bad one refuses only itself. */
export class BatchDto {
  @ApiProperty({
    description: 'Messages, each with a `channel` and the fields of that channel’s send.',
    type: 'array',
    items: {
      type: 'object',
      additionalProperties: true,
      required: ['channel'],
      properties: {
        channel: { type: 'string', enum: [...CHANNELS], description: 'The channel it goes by.', example: 'sms' },
      },
    },
    minItems: 1,
    maxItems: 1000,
    example: [{ channel: 'sms', to: '+393331234567', message: 'Your parcel is here.' }],
  })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(1000)
  messages: unknown[];
}

export class BatchItemErrorView {
  @ApiProperty({ description: 'Stable machine word.', example: 'invalid_request' })
  code: string;

  @ApiProperty({ description: 'What is wrong, for people.', example: 'to: to is required' })
  detail: string;

  @ApiProperty({ description: 'The fields that are wrong, with paths from the batch.', type: [FieldErrorView] })
  errors: FieldErrorView[];
}

export class BatchItemView {
  @ApiProperty({ description: 'Place in the request, from 0.', type: 'integer', example: 0 })
  index: number;

  @ApiProperty({
    description: 'Id of the accepted message.',
    required: false,
    example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  message_id?: string;

  @ApiProperty({
    description: 'What it is now.',
    required: false,
    enum: ['queued', 'scheduled', 'simulated'],
    example: 'queued',
  })
  status?: AcceptedMessageView['status'];

  @ApiProperty({
    description: 'The idempotency key was used before with the same body; this is the first answer.',
    required: false,
    example: true,
  })
  replayed?: boolean;

  @ApiProperty({ description: 'Why it was refused.', required: false, type: BatchItemErrorView })
  error?: BatchItemErrorView;
}

export class BatchView {
  @ApiProperty({ description: 'How many were accepted.', type: 'integer', example: 1 })
  accepted: number;

  @ApiProperty({ description: 'How many were refused.', type: 'integer', example: 0 })
  rejected: number;

  @ApiProperty({ description: 'One a message, in the order of the request.', type: [BatchItemView] })
  results: BatchItemView[];
}
