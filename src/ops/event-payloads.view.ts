import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { BOUNCE_TYPES } from '../gateway/contracts/callback';
import { CHANNELS } from '../kernel/channel';

const MESSAGE_ID = 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8';
const CONFIG_ID = 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8';
const WEBHOOK_ID = 'whe_01kaqz9yq8e5v6m3c2n1b0a9s8';
const TIME = '2026-11-22T08:30:02.000Z';

/** `data` of every `message.*` event. */
export class MessageEventData {
  @ApiProperty({ description: 'Id of the message.', example: MESSAGE_ID })
  message_id: string;

  @ApiProperty({ description: 'Your tenant.', example: 'demo_4k2j9x0m3b7q1w5z' })
  client_id: string;

  @ApiProperty({ description: 'The channel it went by.', enum: CHANNELS, enumName: 'Channel', example: 'sms' })
  channel: string;

  @ApiProperty({
    description: 'What it has become; the second half of the event’s name.',
    enum: ['sent', 'delivered', 'read', 'undelivered', 'failed', 'expired', 'canceled'],
    example: 'delivered',
  })
  status: string;

  @ApiProperty({ description: 'The recipient.', example: '+393331234567' })
  to: string;

  @ApiPropertyOptional({ description: 'Provider key; left out while none has it.', example: 'twilio' })
  gateway?: string;

  @ApiPropertyOptional({ description: 'The provider’s id.', example: 'SM0123456789abcdef0123456789abcdef' })
  external_id?: string;

  @ApiPropertyOptional({ description: 'Your own id, when you gave one.', example: 'order-8121' })
  reference?: string;

  @ApiPropertyOptional({
    description: 'Your own pairs, when you gave some.',
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { order_id: '8121' },
  })
  metadata?: Record<string, string>;

  @ApiPropertyOptional({ description: 'Failures only: our stable word.', example: 'unreachable' })
  error_code?: string;

  @ApiPropertyOptional({
    description: 'Failures only: the same for people.',
    example: 'Unreachable destination handset',
  })
  error_message?: string;

  @ApiPropertyOptional({ description: 'Failures only: the provider’s own code, when it gave one.', example: '30003' })
  provider_code?: string;

  @ApiProperty({ description: 'When, by the clock of who reported it.', format: 'date-time', example: TIME })
  occurred_at: string;
}

/** `data` of every `email.*` event. */
export class EngagementEventData {
  @ApiProperty({ description: 'Id of the message.', example: MESSAGE_ID })
  message_id: string;

  @ApiProperty({ description: 'Your tenant.', example: 'demo_4k2j9x0m3b7q1w5z' })
  client_id: string;

  @ApiProperty({ description: 'Always `email`.', enum: ['email'], example: 'email' })
  channel: string;

  @ApiProperty({ description: 'The first recipient of the message.', example: 'ada@example.com' })
  to: string;

  @ApiPropertyOptional({
    description: 'Who did it, where the provider says so: one of the recipients of the message.',
    example: 'ada@example.com',
  })
  recipient?: string;

  @ApiProperty({ description: 'Provider key.', example: 'sendgrid' })
  gateway: string;

  @ApiPropertyOptional({ description: 'The provider’s id of the message.', example: '14c5d75ce93.dfd.64b469' })
  external_id?: string;

  @ApiPropertyOptional({ description: 'Your own id, when you gave one.', example: 'order-8121' })
  reference?: string;

  @ApiPropertyOptional({
    description: 'Your own pairs, when you gave some.',
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { order_id: '8121' },
  })
  metadata?: Record<string, string>;

  @ApiPropertyOptional({
    description:
      'Opens and clicks: whether the provider takes it for a machine’s (a privacy proxy, a scanner). Left out where it does not say.',
    example: false,
  })
  machine?: boolean;

  @ApiPropertyOptional({
    description: 'Bounces: `hard`: never again; `soft`: may work later; `blocked`: refused by the receiver’s policy.',
    enum: BOUNCE_TYPES,
    example: 'hard',
  })
  bounce_type?: string;

  @ApiPropertyOptional({ description: 'Clicks: the link.', example: 'https://example.com/parcel' })
  url?: string;

  @ApiPropertyOptional({ description: 'Opens and clicks: the program.', example: 'Mozilla/5.0' })
  user_agent?: string;

  @ApiPropertyOptional({ description: 'Opens and clicks: the address that it came from.', example: '203.0.113.7' })
  ip?: string;

  @ApiPropertyOptional({ description: 'Bounces: what the receiver said.', example: '550 5.1.1 no such user' })
  reason?: string;

  @ApiProperty({ description: 'When, by the provider’s clock.', format: 'date-time', example: TIME })
  occurred_at: string;
}

export class ConfigFaultData {
  @ApiProperty({ description: 'Stable machine word.', example: 'bad_credentials' })
  code: string;

  @ApiProperty({ description: 'The same for people.', example: 'Authenticate' })
  message: string;

  @ApiProperty({ description: 'The provider’s own code.', type: String, nullable: true, example: '20003' })
  provider_code: string | null;
}

/** `data` of `config.error` and `config.recovered`. */
export class ConfigEventData {
  @ApiProperty({ description: 'Id of the config.', example: CONFIG_ID })
  config_id: string;

  @ApiProperty({ description: 'Provider key.', example: 'twilio' })
  gateway: string;

  @ApiProperty({ description: 'The channel it serves.', enum: CHANNELS, enumName: 'Channel', example: 'sms' })
  channel: string;

  @ApiProperty({ description: 'Your name for it.', example: 'Twilio, main account' })
  display_name: string;

  @ApiProperty({ description: 'What it has become.', enum: ['error', 'active'], example: 'error' })
  status: string;

  @ApiProperty({ description: 'What is wrong; null once it has recovered.', type: ConfigFaultData, nullable: true })
  error: ConfigFaultData | null;
}

/** `data` of `alert.raised` and `alert.cleared`. */
export class AlertEventData {
  @ApiProperty({
    description: '`config_error`: a provider account fails. `webhook_disabled`: every delivery failed for 5 days.',
    enum: ['config_error', 'webhook_disabled'],
    example: 'config_error',
  })
  alert: string;

  @ApiProperty({ description: 'What it is about, for people.', example: 'Authenticate' })
  detail: string;

  @ApiPropertyOptional({
    description: '`config_error`: the same in the alert that is raised and in the one that is cleared.',
    example: CONFIG_ID,
  })
  subject?: string;

  @ApiPropertyOptional({ description: '`config_error`: id of the config.', example: CONFIG_ID })
  config_id?: string;

  @ApiPropertyOptional({ description: '`config_error`: provider key.', example: 'twilio' })
  gateway?: string;

  @ApiPropertyOptional({
    description: '`config_error`: the channel it serves.',
    enum: CHANNELS,
    enumName: 'Channel',
    example: 'sms',
  })
  channel?: string;

  @ApiPropertyOptional({ description: '`webhook_disabled`: id of the endpoint.', example: WEBHOOK_ID })
  webhook_id?: string;

  @ApiPropertyOptional({
    description: '`webhook_disabled`, raised: since when every try failed.',
    format: 'date-time',
    example: '2026-11-17T08:30:00.000Z',
  })
  failing_since?: string;
}

/** `data` of `webhook.test`. */
export class TestEventData {
  @ApiProperty({ description: 'The endpoint that is tested.', example: WEBHOOK_ID })
  webhook_id: string;

  @ApiProperty({ description: 'What this is.', example: 'A test of this webhook endpoint.' })
  detail: string;
}
