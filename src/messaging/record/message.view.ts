import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { CHANNELS, MESSAGE_STATUSES, PRIORITIES } from '../../kernel/channel';
import { FallbackView } from '../fallback/fallback.view';
import { EngagementView } from './engagement.view';

export class AcceptedMessageView {
  @ApiProperty({
    description: 'Id of the message; `msg_test_…` for a simulated one.',
    example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  message_id: string;

  @ApiProperty({ description: 'What it is now.', enum: ['queued', 'scheduled', 'simulated'], example: 'queued' })
  status: string;

  @ApiProperty({ description: 'The channel it goes by.', enum: CHANNELS, example: 'sms' })
  channel: string;

  @ApiProperty({ description: 'Your tenant.', example: 'demo_4k2j9x0m3b7q1w5z' })
  client_id: string;

  @ApiProperty({ description: 'When it was accepted.', format: 'date-time', example: '2026-11-22T08:30:00.000Z' })
  created_at: string;

  @ApiProperty({
    description: 'Parts of an SMS; null for other channels.',
    type: 'integer',
    nullable: true,
    example: 1,
  })
  segments: number | null;

  @ApiProperty({
    description: 'Sandbox only: the provider that would have taken it.',
    required: false,
    example: 'twilio',
  })
  would_use_gateway?: string;
}

export class AttemptView {
  @ApiProperty({ description: 'Provider key.', example: 'twilio' })
  gateway: string;

  @ApiProperty({ description: 'The config (account) that was used.', example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  config_id: string;

  @ApiProperty({ format: 'date-time', description: 'When the call began.', example: '2026-11-22T08:30:00.010Z' })
  started_at: string;

  @ApiProperty({ format: 'date-time', description: 'When its outcome was known.', example: '2026-11-22T08:30:00.120Z' })
  finished_at: string;

  @ApiProperty({
    description: '`accepted`: the provider took the message; `unknown`: it may have; else the class of the failure.',
    enum: ['accepted', 'unknown', 'recipient_permanent', 'content_permanent', 'config', 'throttled', 'transient'],
    example: 'accepted',
  })
  outcome: string;

  @ApiProperty({
    description: "The provider's own code, or ours when it gave none.",
    required: false,
    example: '21211',
  })
  error_code?: string;

  @ApiProperty({
    description: "The provider's own text, or ours.",
    required: false,
    example: "The 'To' number is not a valid phone number.",
  })
  error_message?: string;

  @ApiProperty({ description: 'Our stable word for the failure.', required: false, example: 'invalid_recipient' })
  reason?: string;

  @ApiProperty({
    description: "The provider's id for the message.",
    required: false,
    example: 'SM0123456789abcdef0123456789abcdef',
  })
  external_id?: string;
}

export class MessageEventView {
  @ApiProperty({ description: 'What happened.', example: 'message.delivered' })
  event: string;

  @ApiProperty({
    description: 'When, by the clock of who reported it.',
    format: 'date-time',
    example: '2026-11-22T08:30:02.000Z',
  })
  at: string;

  @ApiProperty({ description: 'The provider that it concerns.', nullable: true, type: String, example: 'twilio' })
  gateway: string | null;

  @ApiPropertyOptional({
    description: 'More about it.',
    type: 'object',
    additionalProperties: true,
    example: { error_code: 'unreachable' },
  })
  detail?: Record<string, unknown>;
}

export class CostView {
  @ApiProperty({ description: 'A decimal in text, never a float.', example: '0.0075' })
  amount: string;

  @ApiProperty({ description: 'ISO 4217.', example: 'USD' })
  currency: string;
}

/** A message as its tenant sees it. */
export class MessageView {
  @ApiProperty({ description: 'Id of the message.', example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  message_id: string;

  @ApiProperty({ description: 'Your tenant.', example: 'demo_4k2j9x0m3b7q1w5z' })
  client_id: string;

  @ApiProperty({ description: 'The channel it goes by.', enum: CHANNELS, example: 'sms' })
  channel: string;

  @ApiProperty({ description: 'Where it is. Never goes backwards.', enum: MESSAGE_STATUSES, example: 'delivered' })
  status: string;

  @ApiProperty({ description: 'No further change is expected.', example: true })
  final: boolean;

  @ApiProperty({ description: 'The recipient.', example: '+393331234567' })
  to: string;

  @ApiProperty({
    description: 'The sender that was asked for; null: the default of the config.',
    nullable: true,
    type: String,
    example: null,
  })
  from: string | null;

  @ApiProperty({
    description:
      'What it says, by channel; null once erased. Files of an email are shown without their bytes, with their `size`.',
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { text: 'Your parcel is here.' },
  })
  content: Record<string, unknown> | null;

  @ApiProperty({
    description: 'The provider that took it; null until one has.',
    nullable: true,
    type: String,
    example: 'twilio',
  })
  gateway: string | null;

  @ApiProperty({
    description: 'The config that took it.',
    nullable: true,
    type: String,
    example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  config_id: string | null;

  @ApiProperty({
    description: "The provider's id.",
    nullable: true,
    type: String,
    example: 'SM0123456789abcdef0123456789abcdef',
  })
  external_id: string | null;

  @ApiProperty({ description: 'Every try at a gateway, oldest first.', type: [AttemptView] })
  attempts: AttemptView[];

  @ApiProperty({
    description: 'What happened, oldest first. In lists: left out.',
    type: [MessageEventView],
    required: false,
  })
  events?: MessageEventView[];

  @ApiProperty({
    description: 'What is sent when it is not delivered, in order. In lists: left out.',
    type: [FallbackView],
    required: false,
    example: [],
  })
  on_undelivered?: FallbackView[];

  @ApiProperty({
    description: 'The message that it was sent in place of, by `on_undelivered`; null for others. In lists: left out.',
    nullable: true,
    type: String,
    required: false,
    example: null,
  })
  fallback_of?: string | null;

  @ApiProperty({ description: 'What the provider charged, once it said so.', type: CostView, nullable: true })
  cost: CostView | null;

  @ApiProperty({ description: 'Parts of an SMS.', type: 'integer', nullable: true, example: 1 })
  segments: number | null;

  @ApiProperty({ description: 'How an SMS is encoded.', enum: ['gsm7', 'ucs2'], nullable: true, example: 'gsm7' })
  encoding: string | null;

  @ApiProperty({
    description: 'Why a message that is not with a provider yet waits.',
    enum: ['gateway_rate', 'circuit_open', 'quiet_hours', 'schedule', 'retry'],
    nullable: true,
    example: null,
  })
  waiting_on: string | null;

  @ApiProperty({
    description: 'It may have reached the recipient twice: an attempt of unknown fate was followed by another.',
    example: false,
  })
  possible_duplicate: boolean;

  @ApiProperty({
    description: 'What recipients did with an email; null for other channels.',
    type: EngagementView,
    nullable: true,
  })
  engagement: EngagementView | null;

  @ApiProperty({ description: 'Why it failed; null otherwise.', nullable: true, type: String, example: null })
  error_code: string | null;

  @ApiProperty({ description: 'The same for people.', nullable: true, type: String, example: null })
  error_message: string | null;

  @ApiProperty({ description: 'Order among your own waiting messages.', enum: PRIORITIES, example: 'normal' })
  priority: string;

  @ApiProperty({ description: 'Your own id.', nullable: true, type: String, example: 'order-8121' })
  reference: string | null;

  @ApiProperty({
    description: 'Your own pairs.',
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { order_id: '8121' },
  })
  metadata: Record<string, string>;

  @ApiProperty({ description: 'Your own labels.', type: [String], example: ['orders'] })
  tags: string[];

  @ApiProperty({
    description: 'When it is to be sent; null: at once.',
    format: 'date-time',
    nullable: true,
    type: String,
    example: null,
  })
  send_at: string | null;

  @ApiProperty({ description: 'When it loses its worth.', format: 'date-time', example: '2026-11-22T09:30:00.000Z' })
  expires_at: string;

  @ApiProperty({ description: 'When it was accepted.', format: 'date-time', example: '2026-11-22T08:30:00.000Z' })
  created_at: string;

  @ApiProperty({ description: 'When it last changed.', format: 'date-time', example: '2026-11-22T08:30:02.000Z' })
  updated_at: string;
}
