import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { CHANNELS } from '../../kernel/channel';
import {
  INBOUND_DELIVERY_STATUSES,
  INBOUND_STATES,
  INBOUND_STATUSES,
  RECEIVER_FORMATS,
  RECEIVER_TYPES,
  type InboundDeliveryStatus,
  type InboundState,
  type InboundStatus,
  type ReceiverFormat,
  type ReceiverType,
} from '../../messaging/inbound/inbound.types';

const DATE = '2026-01-31T12:00:00.000Z';

/** What became of a message at one receiver. */
export class InboundDeliveryView {
  @ApiProperty({ description: 'Id of the delivery.', example: 'ind_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'Id of the receiver.', example: 'nrc_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  receiver_id: string;

  @ApiProperty({ description: 'How it is told.', enum: RECEIVER_TYPES, example: 'webhook' })
  type: ReceiverType;

  @ApiPropertyOptional({
    description: 'Where it is posted; for `webhook` only.',
    format: 'uri',
    example: 'https://example.com/sms',
  })
  url?: string;

  @ApiPropertyOptional({ description: 'How; for `webhook` only.', enum: RECEIVER_FORMATS, example: 'form' })
  format?: ReceiverFormat;

  @ApiPropertyOptional({ description: 'The mailbox; for `email` only.', example: 'support@example.com' })
  to?: string;

  @ApiProperty({
    description:
      '`pending`: not tried yet, or to be tried again. `dead_letter`: the last try failed; it is kept and can be redelivered.',
    enum: INBOUND_DELIVERY_STATUSES,
    example: 'succeeded',
  })
  status: InboundDeliveryStatus;

  @ApiProperty({ description: 'Tries of this round; a redelivery begins a new one.', type: 'integer', example: 1 })
  attempts: number;

  @ApiProperty({
    description: 'When it is tried again; null when it is not, or when its first try is yet to come.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  next_attempt_at: string | null;

  @ApiProperty({ description: 'When it last changed.', format: 'date-time', example: DATE })
  updated_at: string;
}

export const TRY_RESULTS = ['succeeded', 'failed'] as const;

/** One try. */
export class InboundTryView {
  @ApiProperty({ description: 'When it began.', format: 'date-time', example: DATE })
  at: string;

  @ApiProperty({ description: 'What came of it.', enum: TRY_RESULTS, example: 'failed' })
  result: (typeof TRY_RESULTS)[number];

  @ApiProperty({ description: 'How long it took, milliseconds.', type: 'integer', example: 84 })
  latency_ms: number;

  @ApiPropertyOptional({ description: 'Status of the answer; left out when none came.', type: 'integer', example: 500 })
  status_code?: number;

  @ApiPropertyOptional({
    description:
      'Why it failed; left out when it succeeded. Stable words such as `not_acknowledged` (the answer was not the one that it has to be), `timeout`, `connection_refused`, `address_not_allowed`; `receiver_removed`: the number has this receiver no more.',
    example: 'not_acknowledged',
  })
  error?: string;

  @ApiPropertyOptional({ description: 'The first KiB of the answer.', example: 'OK' })
  response?: string;
}

/** What became of a message at one receiver, with every try. */
export class InboundDeliveryDetailView extends InboundDeliveryView {
  @ApiProperty({ description: 'Every try of every round, oldest first.', type: [InboundTryView] })
  tries: InboundTryView[];
}

class InboundBaseView {
  @ApiProperty({ description: 'Id of the message.', example: 'inb_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({
    description: 'Id of your number that it came to; null: you have no such number.',
    type: String,
    nullable: true,
    example: 'num_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  number_id: string | null;

  @ApiProperty({ description: 'The number that it came to.', example: '+393399957000' })
  number: string;

  @ApiProperty({ description: 'The sender.', example: '+393331234567' })
  from: string;

  @ApiProperty({ description: 'The same as `number`.', example: '+393399957000' })
  to: string;

  @ApiProperty({ description: 'What was written.', example: 'Is my order on its way?' })
  text: string;

  @ApiProperty({ description: 'The channel it came by.', enum: CHANNELS, example: 'sms' })
  channel: string;

  @ApiProperty({ description: 'Provider key.', example: 'twilio' })
  gateway: string;

  @ApiProperty({ description: 'Id of the config that it came by.', example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  config_id: string;

  @ApiProperty({
    description: 'The provider’s id of the message; null where it gives none.',
    type: String,
    nullable: true,
    example: 'SM0123456789abcdef0123456789abcdef',
  })
  external_id: string | null;

  @ApiProperty({
    description: '`received`: it came to a number of yours. `unmatched`: you have no such number.',
    enum: INBOUND_STATES,
    example: 'received',
  })
  state: InboundState;

  @ApiProperty({
    description:
      'What became of it as a whole. `dead_letter`: at least one receiver did not get it in the end. `pending`: one has yet to get it. `delivered`: nothing is owed to anybody any more. `unmatched`: you have no such number.',
    enum: INBOUND_STATUSES,
    example: 'delivered',
  })
  status: InboundStatus;

  @ApiProperty({
    description: 'Its place in the gapless sequence of the number, from 1; null while it is unmatched.',
    type: 'integer',
    nullable: true,
    example: 42,
  })
  sequence: number | null;

  @ApiProperty({
    description: 'Id of its event `inbound.received`; the same in every delivery.',
    example: 'evt_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  event_id: string;

  @ApiProperty({
    description:
      'What only some providers tell: `media`, the sender’s profile, and for a long message `parts` with the numbers of those `missing`. Null: nothing.',
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { parts: { total: 2 } },
  })
  detail: Record<string, unknown> | null;

  @ApiProperty({ description: 'When it reached UniMsg.', format: 'date-time', example: DATE })
  received_at: string;

  @ApiProperty({
    description: 'When it was sent, by the provider’s clock where it tells.',
    format: 'date-time',
    example: DATE,
  })
  occurred_at: string;
}

/** A message in a list. */
export class InboundMessageView extends InboundBaseView {
  @ApiProperty({ description: 'What became of it at each receiver.', type: [InboundDeliveryView] })
  deliveries: InboundDeliveryView[];
}

/** A message with every try to deliver it. */
export class InboundMessageDetailView extends InboundBaseView {
  @ApiProperty({ description: 'What became of it at each receiver.', type: [InboundDeliveryDetailView] })
  deliveries: InboundDeliveryDetailView[];
}

export class RedeliveredView {
  @ApiProperty({ description: 'How many messages are on their way again.', type: 'integer', example: 42 })
  messages: number;

  @ApiProperty({ description: 'How many deliveries that are.', type: 'integer', example: 84 })
  deliveries: number;
}
