import type { BounceType, EngagementType } from '../../gateway/contracts/callback';

/** What recipients did with a message, as it is stored and shown. Times are RFC 3339. */
export interface Engagement {
  /** Of people and machines together. */
  opens: number;
  clicks: number;
  bounces: number;
  unsubscribes: number;
  complaints: number;
  /** Those of `opens` and `clicks` that the provider says no person made. */
  machine_opens: number;
  machine_clicks: number;
  first_opened_at: string | null;
  last_opened_at: string | null;
  first_clicked_at: string | null;
  last_clicked_at: string | null;
  bounced_at: string | null;
  complained_at: string | null;
  unsubscribed_at: string | null;
  /** The gravest of its bounces. */
  bounce_type: BounceType | null;
}

export const NO_ENGAGEMENT: Readonly<Engagement> = Object.freeze({
  opens: 0,
  clicks: 0,
  bounces: 0,
  unsubscribes: 0,
  complaints: 0,
  machine_opens: 0,
  machine_clicks: 0,
  first_opened_at: null,
  last_opened_at: null,
  first_clicked_at: null,
  last_clicked_at: null,
  bounced_at: null,
  complained_at: null,
  unsubscribed_at: null,
  bounce_type: null,
});

const GRAVITY: Record<BounceType, number> = { soft: 1, blocked: 2, hard: 3 };

/** One thing that a recipient did. */
export interface EngagementFact {
  type: EngagementType;
  machine?: boolean;
  bounceType?: BounceType;
  /** Milliseconds since the epoch. */
  at: number;
}

/** The counts with one more fact. Facts may come in any order; the result is the same. */
export function countEngagement(before: Engagement | null, fact: EngagementFact): Engagement {
  const now: Engagement = { ...NO_ENGAGEMENT, ...before };
  const at = new Date(fact.at).toISOString();
  const machine = fact.machine === true ? 1 : 0;
  switch (fact.type) {
    case 'opened':
      now.opens += 1;
      now.machine_opens += machine;
      now.first_opened_at = earlier(now.first_opened_at, at);
      now.last_opened_at = later(now.last_opened_at, at);
      break;
    case 'clicked':
      now.clicks += 1;
      now.machine_clicks += machine;
      now.first_clicked_at = earlier(now.first_clicked_at, at);
      now.last_clicked_at = later(now.last_clicked_at, at);
      break;
    case 'bounced':
      now.bounces += 1;
      now.bounced_at = earlier(now.bounced_at, at);
      now.bounce_type = graver(now.bounce_type, fact.bounceType);
      break;
    case 'complained':
      now.complaints += 1;
      now.complained_at = earlier(now.complained_at, at);
      break;
    case 'unsubscribed':
      now.unsubscribes += 1;
      now.unsubscribed_at = earlier(now.unsubscribed_at, at);
      break;
  }
  return now;
}

function earlier(one: string | null, other: string): string {
  return one !== null && one < other ? one : other;
}

function later(one: string | null, other: string): string {
  return one !== null && one > other ? one : other;
}

function graver(one: BounceType | null, other: BounceType | undefined): BounceType | null {
  if (other === undefined) return one;
  return one !== null && GRAVITY[one] >= GRAVITY[other] ? one : other;
}
