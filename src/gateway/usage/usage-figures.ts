/** Money of one currency. */
export interface UsageCost {
  /** ISO 4217. */
  currency: string;
  /** A decimal, exact. */
  amount: string;
}

/**
 * What a tenant, or an account of it, has sent in a period. Each message counts under what it is now, in the period in which it was accepted.
 * All but `cost` are whole numbers.
 */
export interface UsageFigures {
  /** Handed to a provider, or ended as failed: `sent + delivered + failed`. */
  sends: number;
  /** With a provider that has not reported yet. */
  sent: number;
  /** Delivered, those that were read included. */
  delivered: number;
  /** Of `delivered`, those that were read. */
  read: number;
  /** Failed, those that are undelivered included. */
  failed: number;
  /** Of `failed`, those that a provider took and could not deliver. */
  undelivered: number;
  /** Not sends: too late, or taken back, before a provider had them. */
  expired: number;
  canceled: number;
  /** Parts of the sends, for channels that have parts. */
  segments: number;
  /** How often emails were opened, by people and machines together. */
  opens: number;
  /** Emails that were opened at least once. */
  uniqueOpens: number;
  /** Of `opens`, those that the provider says no person made. */
  machineOpens: number;
  clicks: number;
  /** Emails in which something was clicked at least once. */
  uniqueClicks: number;
  machineClicks: number;
  bounces: number;
  complaints: number;
  unsubscribes: number;
  /** Messages that came in. */
  inbound: number;
  /** What providers asked, as far as they said; by currency, in their order. */
  cost: UsageCost[];
}

export const NO_USAGE: Readonly<UsageFigures> = Object.freeze({
  sends: 0,
  sent: 0,
  delivered: 0,
  read: 0,
  failed: 0,
  undelivered: 0,
  expired: 0,
  canceled: 0,
  segments: 0,
  opens: 0,
  uniqueOpens: 0,
  machineOpens: 0,
  clicks: 0,
  uniqueClicks: 0,
  machineClicks: 0,
  bounces: 0,
  complaints: 0,
  unsubscribes: 0,
  inbound: 0,
  cost: Object.freeze([]) as unknown as UsageCost[],
});

/** `part / whole`, 0 to 1, to four places; null when there is no whole. */
export function share(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((part / whole) * 10_000) / 10_000;
}
