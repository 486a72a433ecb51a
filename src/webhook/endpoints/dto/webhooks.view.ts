import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { EndpointRow } from '../endpoint.row';
import { WEBHOOK_FORMATS, type WebhookFormat } from '../webhook-event';
import { DELIVERY_STATUSES, EVENT_FILTERS, type DeliveryStatus } from './webhooks.dto';

const DATE = '2026-01-31T12:00:00.000Z';
const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

export const DISABLED_REASONS = ['request', 'failing'] as const;
export type DisabledReason = (typeof DISABLED_REASONS)[number];

export class WebhookView {
  @ApiProperty({ description: 'Id of the endpoint.', example: 'whe_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'Where events are posted.', format: 'uri', example: 'https://example.com/unimsg' })
  url: string;

  @ApiProperty({
    description: 'Which events it gets; `*` stands for all.',
    enum: EVENT_FILTERS,
    enumName: 'EventFilter',
    isArray: true,
    example: ['message.delivered', 'message.failed'],
  })
  events: string[];

  @ApiProperty({ description: 'What it is for.', type: String, nullable: true, example: 'order system' })
  description: string | null;

  @ApiProperty({ description: 'False: it gets nothing; events wait.', example: true })
  enabled: boolean;

  @ApiProperty({ description: 'How the body is written.', enum: WEBHOOK_FORMATS, example: 'json' })
  format: WebhookFormat;

  @ApiProperty({
    description: 'Since when every try has failed; null: the last one succeeded, or there was none.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  failing_since: string | null;

  @ApiProperty({
    description: 'When it was disabled; null while it is enabled.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  disabled_at: string | null;

  @ApiProperty({
    description: '`request`: by a call. `failing`: every try failed for 5 days. Null while it is enabled.',
    type: String,
    enum: DISABLED_REASONS,
    nullable: true,
    example: null,
  })
  disabled_reason: DisabledReason | null;

  @ApiProperty({
    description: 'Until when the secret before the last rotation signs too; null: it does not.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  previous_secret_until: string | null;

  @ApiProperty({ description: 'When it was made.', format: 'date-time', example: DATE })
  created_at: string;

  @ApiProperty({ description: 'When it was last changed.', format: 'date-time', example: DATE })
  updated_at: string;

  static of(row: EndpointRow, now: number): WebhookView {
    const rotating = row.previous_secret_until !== null && row.previous_secret_until > now;
    return {
      id: row.id,
      url: row.url,
      events: row.events,
      description: row.description,
      enabled: row.enabled,
      format: row.format,
      failing_since: time(row.failing_since),
      disabled_at: time(row.disabled_at),
      disabled_reason: row.disabled_reason as DisabledReason | null,
      previous_secret_until: rotating ? time(row.previous_secret_until) : null,
      created_at: time(row.created_at)!,
      updated_at: time(row.updated_at)!,
    };
  }
}

/** The only answers that show the secret: creation and rotation. */
export class WebhookWithSecretView extends WebhookView {
  @ApiProperty({
    description: 'Proves that a delivery comes from here (Standard Webhooks). It is shown only here.',
    example: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD…',
  })
  secret: string;
}

export class DeletedWebhookView {
  @ApiProperty({ description: 'Id of the endpoint.', example: 'whe_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'Always true.', enum: [true], example: true })
  deleted: true;
}

/** One try. */
export class WebhookAttemptView {
  @ApiProperty({ description: 'When it began.', format: 'date-time', example: DATE })
  at: string;

  @ApiProperty({ description: 'How long it took, milliseconds.', type: 'integer', example: 84 })
  latency_ms: number;

  @ApiPropertyOptional({ description: 'Status of the answer; left out when none came.', type: 'integer', example: 503 })
  status_code?: number;

  @ApiPropertyOptional({
    description:
      'Why it failed; left out when it succeeded. `http_status`: an answer other than 2xx, redirects included. `address_not_allowed`: the name leads to an internal address. Others: `timeout`, `connect_timeout`, `connection_refused`, `dns`, `tls`, `reset`, `unreachable`, `protocol`, `invalid_request`, `event_expired`, `internal_error` (a fault of UniMsg).',
    example: 'http_status',
  })
  error?: string;

  @ApiPropertyOptional({ description: 'The first KiB of the answer.', example: 'down for maintenance' })
  response?: string;
}

export class WebhookDeliveryView {
  @ApiProperty({ description: 'Id of the delivery.', example: 'whd_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'Id of the endpoint.', example: 'whe_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  webhook_id: string;

  @ApiProperty({
    description: 'Id of the event; the header `webhook-id`.',
    example: 'evt_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  event_id: string;

  @ApiProperty({ description: 'Type of the event.', example: 'message.delivered' })
  event: string;

  @ApiProperty({
    description: 'The message that it is about.',
    type: String,
    nullable: true,
    example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  message_id: string | null;

  @ApiProperty({
    description: '`dead_letter`: the last try failed; it is kept and can be replayed.',
    enum: DELIVERY_STATUSES,
    example: 'succeeded',
  })
  status: DeliveryStatus;

  @ApiProperty({
    description:
      'When it is tried next; null when it is not, or when it waits for an earlier event of the same message.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  next_attempt_at: string | null;

  @ApiProperty({ description: 'Every try, oldest first.', type: [WebhookAttemptView] })
  attempts: WebhookAttemptView[];

  @ApiProperty({ description: 'When the first try was recorded.', format: 'date-time', example: DATE })
  created_at: string;

  @ApiProperty({ description: 'When it last changed.', format: 'date-time', example: DATE })
  updated_at: string;
}

export class WebhookTestView {
  @ApiProperty({ description: 'Whether the receiver took it.', example: true })
  succeeded: boolean;

  @ApiProperty({ description: 'Id of the test event.', example: 'evt_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  event_id: string;

  @ApiProperty({ description: 'The try.', type: WebhookAttemptView })
  attempt: WebhookAttemptView;

  @ApiProperty({
    description: 'Status of the answer; null when none came.',
    type: 'integer',
    nullable: true,
    example: 200,
  })
  status_code: number | null;

  @ApiProperty({ description: 'How long it took, milliseconds.', type: 'integer', example: 84 })
  latency_ms: number;
}

export class ReplayView {
  @ApiProperty({ description: 'How many deliveries are on their way again.', type: 'integer', example: 42 })
  replayed: number;
}
