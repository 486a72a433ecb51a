import { ApiProperty } from '@nestjs/swagger';
import { share, type UsageFigures } from './usage-figures';

/** Money of one currency. */
export class CostView {
  @ApiProperty({ description: 'ISO 4217.', example: 'EUR' })
  currency: string;

  @ApiProperty({ description: 'A decimal, exact.', example: '12.3450' })
  amount: string;
}

/** What was sent. Each message counts once, under what it is now and in the period in which it was accepted. */
export class UsageFiguresView {
  @ApiProperty({
    description:
      'Messages that a provider took, or that ended as `failed`: sent + delivered + failed. What waits, and what is `scheduled`, `expired`, `canceled` or `simulated`, is no send.',
    type: 'integer',
    example: 4200,
  })
  sends: number;

  @ApiProperty({
    description: 'Of the sends: `sent`, so without a report of the provider yet.',
    type: 'integer',
    example: 21,
  })
  sent: number;

  @ApiProperty({ description: 'Of the sends: `delivered` or `read`.', type: 'integer', example: 4053 })
  delivered: number;

  @ApiProperty({ description: 'Of those delivered: `read`.', type: 'integer', example: 0 })
  read: number;

  @ApiProperty({ description: 'Of the sends: `failed` or `undelivered`.', type: 'integer', example: 126 })
  failed: number;

  @ApiProperty({
    description: 'Of those failed: `undelivered`; a provider took them and could not deliver.',
    type: 'integer',
    example: 84,
  })
  undelivered: number;

  @ApiProperty({ description: 'Messages that expired before a provider had them.', type: 'integer', example: 2 })
  expired: number;

  @ApiProperty({ description: 'Messages that were canceled.', type: 'integer', example: 1 })
  canceled: number;

  @ApiProperty({
    description: 'delivered / sends, 0 to 1, to four places; null without sends.',
    nullable: true,
    type: 'number',
    example: 0.965,
  })
  delivery_rate: number | null;

  @ApiProperty({
    description: 'failed / sends, 0 to 1, to four places; null without sends.',
    nullable: true,
    type: 'number',
    example: 0.03,
  })
  error_rate: number | null;

  @ApiProperty({ description: 'How often emails were opened, each time counted.', type: 'integer', example: 2210 })
  opens: number;

  @ApiProperty({ description: 'Emails that were opened at least once.', type: 'integer', example: 1540 })
  unique_opens: number;

  @ApiProperty({
    description: 'Of the opens, those that the provider takes for a machine’s (a privacy proxy, a scanner).',
    type: 'integer',
    example: 310,
  })
  machine_opens: number;

  @ApiProperty({ description: 'Clicks in emails, each one counted.', type: 'integer', example: 640 })
  clicks: number;

  @ApiProperty({ description: 'Emails in which something was clicked.', type: 'integer', example: 512 })
  unique_clicks: number;

  @ApiProperty({
    description: 'unique_opens / delivered, to four places; null while nothing is delivered.',
    nullable: true,
    type: 'number',
    example: 0.38,
  })
  open_rate: number | null;

  @ApiProperty({
    description: 'unique_clicks / delivered, to four places; null while nothing is delivered.',
    nullable: true,
    type: 'number',
    example: 0.1263,
  })
  click_rate: number | null;

  @ApiProperty({ description: 'Bounces of emails that providers reported.', type: 'integer', example: 84 })
  bounces: number;

  @ApiProperty({ description: 'Complaints (“this is spam”).', type: 'integer', example: 3 })
  complaints: number;

  @ApiProperty({ description: 'Recipients who unsubscribed.', type: 'integer', example: 12 })
  unsubscribes: number;

  @ApiProperty({
    description: 'Parts of the sends, for channels that have parts (SMS).',
    type: 'integer',
    example: 0,
  })
  segments: number;

  @ApiProperty({ description: 'Messages that came in, by when they came.', type: 'integer', example: 0 })
  inbound: number;

  @ApiProperty({ description: 'What providers asked, as far as they said; by currency.', type: [CostView] })
  cost: CostView[];

  static of(usage: UsageFigures): UsageFiguresView {
    return {
      sends: usage.sends,
      sent: usage.sent,
      delivered: usage.delivered,
      read: usage.read,
      failed: usage.failed,
      undelivered: usage.undelivered,
      expired: usage.expired,
      canceled: usage.canceled,
      delivery_rate: share(usage.delivered, usage.sends),
      error_rate: share(usage.failed, usage.sends),
      opens: usage.opens,
      unique_opens: usage.uniqueOpens,
      machine_opens: usage.machineOpens,
      clicks: usage.clicks,
      unique_clicks: usage.uniqueClicks,
      open_rate: share(usage.uniqueOpens, usage.delivered),
      click_rate: share(usage.uniqueClicks, usage.delivered),
      bounces: usage.bounces,
      complaints: usage.complaints,
      unsubscribes: usage.unsubscribes,
      segments: usage.segments,
      inbound: usage.inbound,
      cost: usage.cost.map(({ currency, amount }) => ({ currency, amount })),
    };
  }
}

export const BUDGET_STATES = ['green', 'amber', 'red'] as const;
export type BudgetState = (typeof BUDGET_STATES)[number];

/** How much may still go wrong. */
export class ErrorBudgetView {
  @ApiProperty({
    description: 'Share of sends that must not fail: `error_budget_objective` of the tenant’s settings.',
    type: 'number',
    example: 0.95,
  })
  objective: number;

  @ApiProperty({
    description:
      'Share of the failures that the objective allows which is left: 1 − failed / (sends × (1 − objective)), at least 0, to four places. 1 without sends.',
    type: 'number',
    example: 0.4,
  })
  remaining: number;

  @ApiProperty({
    description: '`green`: at least a quarter is left; `amber`: less; `red`: nothing is left.',
    enum: BUDGET_STATES,
    example: 'green',
  })
  state: BudgetState;

  @ApiProperty({
    description: 'The days that it looks at, up to now; whatever period was asked for.',
    type: 'integer',
    example: 30,
  })
  window_days: number;
}

/** How far a quota is used; of several, the one that will be used up first. */
export class UsageQuotaView {
  @ApiProperty({ description: 'A day or a calendar month.', enum: ['daily', 'monthly'], example: 'monthly' })
  period: string;

  @ApiProperty({ description: 'Most messages of the period.', type: 'integer', example: 10000 })
  limit: number;

  @ApiProperty({ description: 'Messages accepted in it.', type: 'integer', example: 4200 })
  used: number;

  @ApiProperty({
    description:
      'The share of the quota that is used, divided by the share of the period that has passed: over 1, it will not last. Null when the limit is 0 and it is over.',
    type: Number,
    nullable: true,
    example: 0.84,
  })
  burn_rate: number | null;

  @ApiProperty({
    description: 'When it is used up if sends go on at this pace; null when it lasts until the period ends.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  projected_exhaustion_at: string | null;
}

/** Figures of a period, and how much is left. */
export class UsagePanelView extends UsageFiguresView {
  @ApiProperty({
    description: 'The beginning of the period, moved back to a whole quarter of an hour.',
    format: 'date-time',
    example: '2026-10-23T22:00:00.000Z',
  })
  from: string;

  @ApiProperty({
    description: 'Its end, exclusive, moved forward to a whole quarter of an hour.',
    format: 'date-time',
    example: '2026-11-22T08:45:00.000Z',
  })
  to: string;

  @ApiProperty({ description: 'The time zone in which dates were read.', example: 'Europe/Rome' })
  time_zone: string;

  @ApiProperty({ description: 'How far the quota is used; null without one.', type: UsageQuotaView, nullable: true })
  quota: UsageQuotaView | null;

  @ApiProperty({ description: 'How much may still go wrong.', type: ErrorBudgetView })
  error_budget: ErrorBudgetView;
}
