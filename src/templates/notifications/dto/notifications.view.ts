import { ApiProperty } from '@nestjs/swagger';
import { CHANNELS, PRIORITIES } from '../../../kernel/channel';
import { NOTIFICATION_STATUSES, OUTCOMES, type NotificationStatus, type Outcome } from './notifications.dto';

/** What came of the messages that a notification is to make. */
export class NotificationProgressView {
  @ApiProperty({ description: 'To be made yet.', type: 'integer', example: 120 })
  pending: number;

  @ApiProperty({ description: 'Accepted: what becomes of them is in `counts`.', type: 'integer', example: 4068 })
  accepted: number;

  @ApiProperty({
    description: 'Were accepted before under the same key with the same content; not sent again.',
    type: 'integer',
    example: 0,
  })
  replayed: number;

  @ApiProperty({
    description: 'Another content was accepted before under the same key; not sent again.',
    type: 'integer',
    example: 0,
  })
  already_sent: number;

  @ApiProperty({ description: 'Could not be accepted; the recipients say why.', type: 'integer', example: 12 })
  rejected: number;

  @ApiProperty({ description: 'Canceled before they were made.', type: 'integer', example: 0 })
  canceled: number;
}

export class NotificationView {
  @ApiProperty({ description: 'Id of the notification.', example: 'ntf_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'The same id.', example: 'ntf_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  notification_id: string;

  @ApiProperty({
    description:
      '`queued`: not begun. `processing`: messages are being made. `completed`: all are made; their delivery goes on. `canceling`, `canceled`: nothing more is made.',
    enum: NOTIFICATION_STATUSES,
    example: 'processing',
  })
  status: NotificationStatus;

  @ApiProperty({ description: 'The template.', example: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  template_id: string;

  @ApiProperty({ description: 'The version that it began with, and keeps.', type: 'integer', example: 3 })
  template_version: number;

  @ApiProperty({ description: 'What the idempotency keys begin with.', example: 'game-reminder-2026-03-01' })
  idempotency_prefix: string;

  @ApiProperty({ description: 'Recipients.', type: 'integer', example: 1400 })
  recipients: number;

  @ApiProperty({ description: 'Messages to make: one a recipient and channel.', type: 'integer', example: 4200 })
  messages: number;

  @ApiProperty({ description: 'How far it is.', type: NotificationProgressView })
  progress: NotificationProgressView;

  @ApiProperty({
    description: 'When the messages are to be sent; null: at once.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  send_at: string | null;

  @ApiProperty({
    description: 'When they expire; null: as the channel has it.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  expires_at: string | null;

  @ApiProperty({ description: 'Priority of the messages.', enum: PRIORITIES, example: 'normal' })
  priority: string;

  @ApiProperty({
    description: 'Metadata of each message.',
    type: 'object',
    additionalProperties: { type: 'string' },
    nullable: true,
    example: { job: 'reminder' },
  })
  metadata: Record<string, string> | null;

  @ApiProperty({ description: 'Labels of each message.', type: [String], example: ['reminders'] })
  tags: string[];

  @ApiProperty({ description: 'Whether the messages are only simulated.', example: false })
  sandbox: boolean;

  @ApiProperty({ description: 'When it was accepted.', format: 'date-time', example: '2026-03-01T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({
    description: 'When the first message was made.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: '2026-03-01T12:00:01.000Z',
  })
  started_at: string | null;

  @ApiProperty({
    description: 'When the last message was made, or it was canceled.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  finished_at: string | null;
}

const COUNTS = {
  type: 'object' as const,
  additionalProperties: { type: 'integer' },
};

export class NotificationWithCountsView extends NotificationView {
  @ApiProperty({
    description:
      'Messages by channel and status, as they are now: the statuses of messages, `pending` for those to be made yet, and `rejected`. `canceled` counts those that were never made too.',
    type: 'object',
    additionalProperties: COUNTS,
    example: { email: { delivered: 1380, sent: 20 }, sms: { delivered: 1322, queued: 66, rejected: 12 } },
  })
  counts: Record<string, Record<string, number>>;

  @ApiProperty({
    ...COUNTS,
    description: 'The same over all channels.',
    example: { delivered: 2702, sent: 20, queued: 66, rejected: 12 },
  })
  totals: Record<string, number>;
}

/** Why a message was not accepted, or failed. */
export class NotificationErrorView {
  @ApiProperty({ description: 'A stable word.', example: 'invalid_request' })
  code: string;

  @ApiProperty({ description: 'What is wrong.', example: 'to must be a phone number in E.164 form' })
  detail: string;
}

export class NotificationMessageView {
  @ApiProperty({ description: 'The channel.', enum: CHANNELS, example: 'sms' })
  channel: string;

  @ApiProperty({
    description: 'The status of the message; `pending`, `canceled` or `rejected` where there is none.',
    example: 'delivered',
  })
  status: string;

  @ApiProperty({
    description: 'What came of making it; null: nothing yet.',
    enum: OUTCOMES,
    nullable: true,
    example: 'accepted',
  })
  outcome: Outcome | null;

  @ApiProperty({
    description: 'The message; null when there is none.',
    type: String,
    nullable: true,
    example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  message_id: string | null;

  @ApiProperty({
    description: 'What went wrong; null: nothing.',
    type: NotificationErrorView,
    nullable: true,
    example: null,
  })
  error: NotificationErrorView | null;
}

export class NotificationRecipientView {
  @ApiProperty({ description: 'Your own id of the recipient.', example: 'player-8121' })
  id: string;

  @ApiProperty({ description: 'The language; null: not said.', type: String, nullable: true, example: 'sv-SE' })
  locale: string | null;

  @ApiProperty({ description: 'One a channel.', type: [NotificationMessageView] })
  messages: NotificationMessageView[];
}
