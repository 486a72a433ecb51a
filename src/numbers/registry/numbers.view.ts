import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { CHANNELS, type Channel } from '../../kernel/channel';
import {
  RECEIVER_FORMATS,
  RECEIVER_TYPES,
  type ReceiverFormat,
  type ReceiverType,
} from '../../messaging/inbound/inbound.types';
import type { NumberReceiverRow, NumberRow } from './number.rows';

const DATE = '2026-01-31T12:00:00.000Z';

export class NumberDeliveryView {
  @ApiProperty({ description: 'Id of the receiver.', example: 'nrc_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'How it is told.', enum: RECEIVER_TYPES, example: 'webhook' })
  type: ReceiverType;

  @ApiPropertyOptional({
    description: 'Where messages are posted; for `webhook` only.',
    format: 'uri',
    example: 'https://example.com/sms',
  })
  url?: string;

  @ApiPropertyOptional({
    description: 'How the body is written; for `webhook` only.',
    enum: RECEIVER_FORMATS,
    example: 'form',
  })
  format?: ReceiverFormat;

  @ApiPropertyOptional({ description: 'The mailbox; for `email` only.', example: 'support@example.com' })
  to?: string;

  @ApiProperty({
    description: 'Since when every try has failed; null: the last one succeeded, or there was none.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  failing_since: string | null;
}

export class NumberView {
  @ApiProperty({ description: 'Id of the number.', example: 'num_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'The number, in E.164 where it is a phone number.', example: '+393399957000' })
  number: string;

  @ApiProperty({ description: 'The channel of its provider.', enum: CHANNELS, example: 'sms' })
  channel: Channel;

  @ApiProperty({ description: 'Provider key.', example: 'twilio' })
  provider: string;

  @ApiProperty({
    description: 'The config that messages must come by; null: any of the provider’s.',
    type: String,
    nullable: true,
    example: null,
  })
  config_id: string | null;

  @ApiProperty({ description: 'Who is told of each message.', type: [NumberDeliveryView] })
  delivery: NumberDeliveryView[];

  @ApiProperty({ description: 'What it is for.', type: String, nullable: true, example: 'support' })
  description: string | null;

  @ApiProperty({
    description: 'How long a webhook receiver may take to answer, seconds.',
    type: 'integer',
    example: 30,
  })
  timeout_seconds: number;

  @ApiProperty({
    description: 'How long after a failed try the next one is made, seconds.',
    type: 'integer',
    example: 900,
  })
  retry_delay_seconds: number;

  @ApiProperty({ description: 'Tries in all before a delivery is a dead letter.', type: 'integer', example: 3 })
  max_attempts: number;

  @ApiProperty({ description: 'Place of its last message; 0: none came.', type: 'integer', example: 42 })
  last_sequence: number;

  @ApiProperty({ description: 'When it was assigned.', format: 'date-time', example: DATE })
  created_at: string;

  @ApiProperty({ description: 'When it was last changed.', format: 'date-time', example: DATE })
  updated_at: string;

  static of(row: NumberRow, receivers: readonly NumberReceiverRow[]): NumberView {
    return {
      id: row.id,
      number: row.number,
      channel: row.channel,
      provider: row.provider,
      config_id: row.config_id,
      delivery: receivers.map(deliveryView),
      description: row.description,
      timeout_seconds: row.timeout_seconds,
      retry_delay_seconds: row.retry_delay_seconds,
      max_attempts: row.max_attempts,
      last_sequence: row.sequence,
      created_at: new Date(row.created_at).toISOString(),
      updated_at: new Date(row.updated_at).toISOString(),
    };
  }
}

function deliveryView(row: NumberReceiverRow): NumberDeliveryView {
  return {
    id: row.id,
    type: row.type,
    ...(row.type === 'webhook' ? { url: row.url!, format: row.format! } : { to: row.email! }),
    failing_since: row.failing_since === null ? null : new Date(row.failing_since).toISOString(),
  };
}

export class DeletedNumberView {
  @ApiProperty({ description: 'Id of the number.', example: 'num_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'Always true.', enum: [true], example: true })
  deleted: true;
}
