import { ApiProperty } from '@nestjs/swagger';
import { ALERT_SEVERITIES, ALERT_WORDS, type AlertSeverity, type AlertWord } from '../platform/alerts/alert-words';
import type { AlertRow } from './alert-reader';

/** An alert as its tenant and the operator see it. */
export class AlertView {
  @ApiProperty({
    description: 'Id of the alert; `alert_id` of its events.',
    example: 'alr_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  id: string;

  @ApiProperty({ description: 'The tenant that it concerns.', example: 'acme_4k2jx81m0qv7e3hz' })
  client_id: string;

  @ApiProperty({ description: 'What it is: a stable word.', enum: ALERT_WORDS, example: 'dead_letter' })
  alert: AlertWord;

  @ApiProperty({
    description: 'What it is about. While it lasts there is one alert a word and subject.',
    example: 'nrc_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  subject: string;

  @ApiProperty({
    description: '`critical`: something does not work; `warning`: a person should look.',
    enum: ALERT_SEVERITIES,
    example: 'critical',
  })
  severity: AlertSeverity;

  @ApiProperty({ description: 'Whether it lasts.', enum: ['open', 'cleared'], example: 'open' })
  state: 'open' | 'cleared';

  @ApiProperty({
    description: 'What is wrong, for people.',
    example: 'A message to +393331234567 could not be delivered to this receiver with all its tries.',
  })
  detail: string;

  @ApiProperty({
    description: 'What belongs to this alert alone: the further fields of its event `alert.raised`.',
    type: 'object',
    additionalProperties: true,
    example: { receiver_id: 'nrc_01kaqz9yq8e5v6m3c2n1b0a9s8', number: '+393331234567' },
  })
  data: Record<string, unknown>;

  @ApiProperty({
    description: 'How often it was noted that it lasts; not how many messages it concerns.',
    type: 'integer',
    example: 1,
  })
  count: number;

  @ApiProperty({ description: 'When it was raised.', format: 'date-time', example: '2026-01-31T12:00:00.000Z' })
  raised_at: string;

  @ApiProperty({ description: 'When it was last seen.', format: 'date-time', example: '2026-01-31T12:04:00.000Z' })
  last_seen_at: string;

  @ApiProperty({
    description: 'When it was over; null while it lasts.',
    format: 'date-time',
    type: String,
    nullable: true,
    example: null,
  })
  cleared_at: string | null;

  @ApiProperty({
    description: 'Why it is over, for people.',
    type: String,
    nullable: true,
    example: null,
  })
  cleared_detail: string | null;

  static of(row: AlertRow): AlertView {
    return {
      id: row.id,
      client_id: row.client_id,
      alert: row.alert,
      subject: row.subject,
      severity: row.severity,
      state: row.cleared_at === null ? 'open' : 'cleared',
      detail: row.detail,
      data: row.data,
      count: row.count,
      raised_at: row.raised_at.toISOString(),
      last_seen_at: row.last_seen_at.toISOString(),
      cleared_at: row.cleared_at?.toISOString() ?? null,
      cleared_detail: row.cleared_detail,
    };
  }
}
