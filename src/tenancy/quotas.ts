import type { Transaction } from '../platform/database/database';

export const QUOTA_PERIODS = ['daily', 'monthly'] as const;
export type QuotaPeriod = (typeof QUOTA_PERIODS)[number];

export const QUOTA_MODES = ['hard', 'soft'] as const;
/** `hard`: what is over the quota is refused; `soft`: it is accepted, and events tell of it. */
export type QuotaMode = (typeof QUOTA_MODES)[number];

export const WHEN_EXCEEDED = ['refuse', 'failover'] as const;
/** What a new message finds whose gateway has used up its hard quota: `refuse`: 429; `failover`: the next gateway. */
export type WhenExceeded = (typeof WHEN_EXCEEDED)[number];

/** Most messages that may be accepted in a period; a period without a figure has no limit. As stored, and as on the wire. */
export interface Quotas {
  daily?: number;
  monthly?: number;
  /** Default: `hard`. */
  mode?: QuotaMode;
  /** Of a config only. Default: `refuse`. */
  when_exceeded?: WhenExceeded;
}

export const MOST_QUOTA = 1_000_000_000_000;

/** What limits a tenant; part of what a request knows of who makes it, so that nothing has to be read for it. */
export interface TenantLimits {
  /** Null: none. */
  readonly quotas: Readonly<Quotas> | null;
  /** IANA name: the clock that the periods of all its quotas follow. */
  readonly timeZone: string;
}

/** Null when no period has a limit. */
export function quotasOf(stored: Readonly<Quotas> | null | undefined): Readonly<Quotas> | null {
  if (!stored || (stored.daily === undefined && stored.monthly === undefined)) return null;
  return Object.freeze(stored);
}

/**
 * For a change of quotas, in its transaction: where a period gets a limit and had none, what was accepted meanwhile was not counted, so its counter is opened
 * anew by the next message.
 * @param of `scope` is empty for the tenant's own, else a config's id
 */
export async function forgetUncounted(
  tx: Transaction,
  of: { clientId: string; scope: string },
  before: Readonly<Quotas> | null,
  after: Readonly<Quotas> | null,
): Promise<void> {
  const periods = QUOTA_PERIODS.filter((period) => after?.[period] !== undefined && before?.[period] === undefined);
  if (periods.length === 0) return;
  await tx.execute('DELETE FROM quota_usage WHERE client_id = $1 AND scope = $2 AND period = ANY ($3)', [
    of.clientId,
    of.scope,
    periods,
  ]);
}
