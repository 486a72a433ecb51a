import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { BOUNCE_TYPES } from '../gateway/contracts/callback';
import { CHANNELS } from '../kernel/channel';
import { INBOUND_STATES } from '../messaging/inbound/inbound.types';
import { ALERT_SEVERITIES, ALERT_WORDS, alertsTable } from '../platform/alerts/alert-words';
import { QUOTA_MODES, QUOTA_PERIODS } from '../tenancy/quotas';

const MESSAGE_ID = 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8';
const CONFIG_ID = 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8';
const NUMBER_ID = 'num_01kaqz9yq8e5v6m3c2n1b0a9s8';
const RECEIVER_ID = 'nrc_01kaqz9yq8e5v6m3c2n1b0a9s8';
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

/** `data` of `inbound.received`, in events and in `json` deliveries of a number. */
export class InboundEventData {
  @ApiProperty({ description: 'Id of the message.', example: 'inb_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  inbound_id: string;

  @ApiProperty({ description: 'Your tenant.', example: 'demo_4k2j9x0m3b7q1w5z' })
  client_id: string;

  @ApiProperty({ description: 'The channel it came by.', enum: CHANNELS, enumName: 'Channel', example: 'sms' })
  channel: string;

  @ApiProperty({
    description: 'Id of your number that it came to; null: you have no such number.',
    type: String,
    nullable: true,
    example: 'num_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  number_id: string | null;

  @ApiProperty({
    description:
      'The number that it came to; empty where the provider does not say, as for a bot that is no number of yours.',
    example: '+393399957000',
  })
  number: string;

  @ApiProperty({ description: 'The sender.', example: '+393331234567' })
  from: string;

  @ApiProperty({ description: 'The same as `number`.', example: '+393399957000' })
  to: string;

  @ApiProperty({ description: 'What was written.', example: 'Is my order on its way?' })
  text: string;

  @ApiProperty({ description: 'Provider key.', example: 'twilio' })
  gateway: string;

  @ApiProperty({ description: 'Id of the config that it came by.', example: CONFIG_ID })
  config_id: string;

  @ApiPropertyOptional({
    description: 'The provider’s id of the message, where it gives one.',
    example: 'SM0123456789abcdef0123456789abcdef',
  })
  external_id?: string;

  @ApiProperty({
    description: '`received`: it came to a number of yours. `unmatched`: you have no such number.',
    enum: INBOUND_STATES,
    example: 'received',
  })
  state: string;

  @ApiProperty({
    description: 'Its place in the gapless sequence of the number, from 1; null while it is unmatched.',
    type: 'integer',
    nullable: true,
    example: 42,
  })
  sequence: number | null;

  @ApiProperty({ description: 'When it reached UniMsg.', format: 'date-time', example: TIME })
  received_at: string;

  @ApiProperty({
    description: 'When it was sent, by the provider’s clock; the same as `received_at` where that tells no time.',
    format: 'date-time',
    example: TIME,
  })
  occurred_at: string;

  @ApiPropertyOptional({
    description:
      'What only some providers tell: `media`, the sender’s profile, and for a long message `parts` with the numbers of those `missing`.',
    type: 'object',
    additionalProperties: true,
    example: { media: [{ url: 'https://api.twilio.com/media/1', content_type: 'image/jpeg' }] },
  })
  detail?: Record<string, unknown>;
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

/** `data` of `alert.raised` and `alert.cleared`: what every alert has, and what belongs to some. */
export class AlertEventData {
  @ApiProperty({
    description: 'Id of the alert: the same in the event that raises it and in the one that clears it.',
    example: 'alr_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  alert_id: string;

  @ApiProperty({ description: `What it is.\n\n${alertsTable()}`, enum: ALERT_WORDS, example: 'config_error' })
  alert: string;

  @ApiProperty({
    description: 'What it is about. While it lasts there is one alert a word and subject.',
    example: CONFIG_ID,
  })
  subject: string;

  @ApiProperty({ description: 'How urgent it is.', enum: ALERT_SEVERITIES, example: 'critical' })
  severity: string;

  @ApiProperty({ description: 'The same for people: what is wrong, or why it is over.', example: 'Authenticate' })
  detail: string;

  @ApiProperty({ description: 'When it was raised.', format: 'date-time', example: TIME })
  raised_at: string;

  @ApiProperty({
    description: 'When it was over; null in `alert.raised`.',
    format: 'date-time',
    type: String,
    nullable: true,
    example: null,
  })
  cleared_at: string | null;

  @ApiPropertyOptional({
    description: '`config_error`, `sequence_gap`, `inbound_unmatched`: id of the config.',
    example: CONFIG_ID,
  })
  config_id?: string;

  @ApiPropertyOptional({
    description: '`config_error`, `sequence_gap`, `inbound_unmatched`: provider key.',
    example: 'twilio',
  })
  gateway?: string;

  @ApiPropertyOptional({
    description: '`config_error`, `inbound_unmatched`: the channel.',
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

  @ApiPropertyOptional({
    description: '`error_budget_burning`: how many times faster than the objective allows, when it was raised.',
    example: 7.4,
  })
  burn_rate?: number;

  @ApiPropertyOptional({
    description: '`receiver_slow`, `delivery_error_rate`, `dead_letter`: id of the receiver.',
    example: RECEIVER_ID,
  })
  receiver_id?: string;

  @ApiPropertyOptional({
    description: '`receiver_slow`, `delivery_error_rate`, `dead_letter`: id of the number.',
    example: NUMBER_ID,
  })
  number_id?: string;

  @ApiPropertyOptional({
    description: 'With `number_id`, and of `inbound_unmatched`: the number itself.',
    example: '+393331234567',
  })
  number?: string;

  @ApiPropertyOptional({
    description: '`receiver_slow`: the slowest answer of the last 15 minutes, milliseconds.',
    type: 'integer',
    example: 7120,
  })
  latency_ms?: number;

  @ApiPropertyOptional({
    description: '`receiver_slow`, `delivery_error_rate`: tries of the last 15 minutes.',
    type: 'integer',
    example: 120,
  })
  tries?: number;

  @ApiPropertyOptional({
    description: '`delivery_error_rate`: tries of the last 15 minutes that failed.',
    type: 'integer',
    example: 6,
  })
  failures?: number;

  @ApiPropertyOptional({ description: '`delivery_error_rate`: failures by tries, 0 to 1.', example: 0.05 })
  error_rate?: number;

  @ApiPropertyOptional({
    description: '`dead_letter`, `inbound_unmatched`: the first message that it was raised for.',
    example: 'inb_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  inbound_id?: string;

  @ApiPropertyOptional({
    description: '`sequence_gap`: the provider’s number of the last message before the gap.',
    type: 'integer',
    example: 41,
  })
  after_sequence?: number;

  @ApiPropertyOptional({
    description: '`sequence_gap`: the provider’s number of the first message behind it.',
    type: 'integer',
    example: 44,
  })
  before_sequence?: number;

  @ApiPropertyOptional({ description: '`sequence_gap`: how many did not come.', type: 'integer', example: 2 })
  missing?: number;
}

/** `data` of `usage.quota_warning` and `usage.quota_exceeded`. */
export class QuotaEventData {
  @ApiProperty({ description: 'Your tenant.', example: 'demo_4k2j9x0m3b7q1w5z' })
  client_id: string;

  @ApiProperty({
    description: 'Whose messages the quota counts: all of the tenant, or those of one config.',
    enum: ['tenant', 'config'],
    example: 'tenant',
  })
  scope: string;

  @ApiProperty({
    description: 'The config; null for a quota of the tenant.',
    type: String,
    nullable: true,
    example: null,
  })
  config_id: string | null;

  @ApiProperty({ description: 'A day or a calendar month.', enum: QUOTA_PERIODS, example: 'daily' })
  period: string;

  @ApiProperty({
    description: '`hard`: sends over it are refused; `soft`: they are accepted.',
    enum: QUOTA_MODES,
    example: 'hard',
  })
  mode: string;

  @ApiProperty({ description: 'Most messages of the period.', type: 'integer', example: 10000 })
  limit: number;

  @ApiProperty({ description: 'Messages accepted in the period so far.', type: 'integer', example: 8000 })
  used: number;

  @ApiProperty({ description: 'The time zone that the period follows.', example: 'Europe/Rome' })
  time_zone: string;

  @ApiProperty({ description: 'When the period began.', format: 'date-time', example: '2026-11-21T23:00:00.000Z' })
  period_start: string;

  @ApiProperty({ description: 'When the next one begins.', format: 'date-time', example: '2026-11-22T23:00:00.000Z' })
  resets_at: string;
}

/** `data` of `webhook.test`. */
export class TestEventData {
  @ApiProperty({ description: 'The endpoint that is tested.', example: WEBHOOK_ID })
  webhook_id: string;

  @ApiProperty({ description: 'What this is.', example: 'A test of this webhook endpoint.' })
  detail: string;
}
