import { ApiProperty } from '@nestjs/swagger';
import { CHANNELS } from '../../kernel/channel';
import { DegradedView } from '../../gateway/budget/degraded.view';
import { QuotaView } from '../../gateway/quotas/quota.view';
import { QUOTA_PERIODS, type QuotaPeriod } from '../../tenancy/quotas';
import { SUPPRESSION_REASONS } from '../suppression/suppression';

export class DryRunCandidateView {
  @ApiProperty({ description: 'Provider key.', example: 'twilio' })
  gateway: string;

  @ApiProperty({ description: 'The config that would be used.', example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  config_id: string;

  @ApiProperty({ description: 'The rule that chose it.', example: 'routing +39' })
  reason: string;

  @ApiProperty({
    description: "The config's own limit, requests a second; null: the provider's default.",
    nullable: true,
    type: Number,
    example: 10,
  })
  max_per_second: number | null;

  @ApiProperty({
    description:
      'How many sends the limit lets through right now in this process: 0 while it pauses; null: it has no limit. More flow in with every moment.',
    nullable: true,
    type: 'integer',
    example: 3,
  })
  rate_available: number | null;

  @ApiProperty({
    description: 'Until when it pauses; null when it does not.',
    nullable: true,
    type: String,
    format: 'date-time',
    example: null,
  })
  paused_until: string | null;

  @ApiProperty({
    description: 'Why it is asked after others that the routes name later; null: it has its full weight.',
    type: DegradedView,
    nullable: true,
  })
  degraded: DegradedView | null;
}

export class DryRunSkipView {
  @ApiProperty({ description: 'Provider key.', example: 'vonage' })
  gateway: string;

  @ApiProperty({
    description: 'The config that is passed over; null when there is none.',
    nullable: true,
    type: String,
    example: null,
  })
  config_id: string | null;

  @ApiProperty({ description: 'Why.', example: 'paused' })
  reason: string;
}

/** The quota that leaves the fewest sends. */
export class DryRunQuotaView {
  @ApiProperty({ description: 'Whether a quota applies; if not, all the rest is null.', example: true })
  limited: boolean;

  @ApiProperty({ description: 'Most messages of the period.', nullable: true, type: 'integer', example: 10000 })
  limit: number | null;

  @ApiProperty({ description: 'Messages accepted in the period.', nullable: true, type: 'integer', example: 4200 })
  used: number | null;

  @ApiProperty({ description: 'Sends left.', nullable: true, type: 'integer', example: 5800 })
  remaining: number | null;

  @ApiProperty({
    description: 'A day or a calendar month of your time zone.',
    nullable: true,
    type: String,
    enum: QUOTA_PERIODS,
    example: 'daily',
  })
  period: QuotaPeriod | null;

  @ApiProperty({
    description: 'When the next period begins.',
    nullable: true,
    type: String,
    format: 'date-time',
    example: '2026-11-22T23:00:00.000Z',
  })
  resets_at: string | null;

  @ApiProperty({
    description: 'The share that is used, divided by the share of the period that has passed.',
    nullable: true,
    type: Number,
    example: 0.84,
  })
  burn_rate: number | null;

  @ApiProperty({
    description: 'When it is used up at this pace; null when it lasts.',
    nullable: true,
    type: String,
    format: 'date-time',
    example: null,
  })
  projected_exhaustion_at: string | null;
}

export class DryRunRefusalView {
  @ApiProperty({ description: 'The code that the send would answer.', example: 'quota_exceeded' })
  code: string;

  @ApiProperty({ description: 'The same for people.', example: 'The daily quota of the tenant is used up.' })
  detail: string;
}

export class DryRunQuietHoursView {
  @ApiProperty({ description: 'Whether quiet hours hold the message back.', example: false })
  applies: boolean;

  @ApiProperty({ description: 'Until when.', nullable: true, type: String, format: 'date-time', example: null })
  until: string | null;
}

export class DryRunSuppressionView {
  @ApiProperty({ description: 'The recipient.', example: '+393331234567' })
  recipient: string;

  @ApiProperty({ description: 'Why it is on the list.', enum: SUPPRESSION_REASONS, example: 'stop' })
  reason: string;
}

export class DryRunFallbackView {
  @ApiProperty({ description: 'The channel it would go by.', enum: CHANNELS, example: 'email' })
  channel: string;

  @ApiProperty({ description: 'The recipient, normalised.', example: 'ada@example.com' })
  to: string;

  @ApiProperty({ description: 'So long without a delivery.', type: 'integer', example: 300 })
  after_seconds: number;

  @ApiProperty({ description: 'The gateways that would be tried, in order.', type: [String], example: ['sendgrid'] })
  gateways: string[];
}

/** What a send would do, and why. */
export class DryRunView {
  @ApiProperty({ description: 'Always true.', example: true })
  dry_run: true;

  @ApiProperty({ description: 'The channel it would go by.', enum: CHANNELS, example: 'sms' })
  channel: string;

  @ApiProperty({ description: 'Your tenant.', example: 'demo_4k2j9x0m3b7q1w5z' })
  client_id: string;

  @ApiProperty({ description: 'The recipient, normalised.', example: '+393331234567' })
  to: string;

  @ApiProperty({
    description: 'The status that it would be accepted with; `refused`: it would not.',
    enum: ['queued', 'scheduled', 'simulated', 'refused'],
    example: 'queued',
  })
  status: string;

  @ApiProperty({
    description:
      'Why it would be refused although the request is well-formed: no gateway can take it, or a quota is used up. Null: it would not.',
    type: DryRunRefusalView,
    nullable: true,
  })
  refusal: DryRunRefusalView | null;

  @ApiProperty({ description: 'The gateways that would be tried, in order.', type: [DryRunCandidateView] })
  candidates: DryRunCandidateView[];

  @ApiProperty({ description: 'The gateways that are passed over.', type: [DryRunSkipView] })
  skipped: DryRunSkipView[];

  @ApiProperty({ description: 'How an SMS would be encoded.', enum: ['gsm7', 'ucs2'], nullable: true, example: 'gsm7' })
  encoding: string | null;

  @ApiProperty({ description: 'Parts of an SMS.', type: 'integer', nullable: true, example: 1 })
  segments: number | null;

  @ApiProperty({ description: 'The characters that force UCS-2, each once.', type: [String], example: [] })
  ucs2_characters: string[];

  @ApiProperty({
    description: 'When it would be sent; null: at once.',
    nullable: true,
    type: String,
    format: 'date-time',
    example: null,
  })
  send_at: string | null;

  @ApiProperty({ description: 'When it would expire.', format: 'date-time', example: '2026-11-22T09:30:00.000Z' })
  expires_at: string;

  @ApiProperty({
    description: 'What an attempt of unknown fate would lead to.',
    enum: ['failover', 'hold'],
    example: 'failover',
  })
  on_ambiguous: string;

  @ApiProperty({
    description: 'What would follow when it is not delivered.',
    type: [DryRunFallbackView],
    example: [],
  })
  on_undelivered: DryRunFallbackView[];

  @ApiProperty({ description: 'What is left of the quota that leaves the fewest sends.', type: DryRunQuotaView })
  quota: DryRunQuotaView;

  @ApiProperty({
    description: 'Every quota that it would count for: those of the tenant and of the first candidate.',
    type: [QuotaView],
    example: [],
  })
  quotas: QuotaView[];

  @ApiProperty({
    description:
      'Whether a recipient is on the suppression list; then the message would be `failed` with `suppressed`.',
    example: false,
  })
  suppressed: boolean;

  @ApiProperty({ description: 'The recipients that are on the list.', type: [DryRunSuppressionView], example: [] })
  suppressions: DryRunSuppressionView[];

  @ApiProperty({ description: 'Whether quiet hours hold it back.', type: DryRunQuietHoursView })
  quiet_hours: DryRunQuietHoursView;
}
