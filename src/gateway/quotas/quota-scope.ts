import { DateTime } from 'luxon';
import { QUOTA_PERIODS, type QuotaPeriod, type Quotas, type TenantLimits } from '../../tenancy/quotas';
import type { ProviderConfig } from '../configs/provider-config';

/** Whose messages a quota counts: a tenant's, or those of one of its configs. */
export interface QuotaScope {
  readonly clientId: string;
  /** Empty: the tenant; else the config's id. */
  readonly scope: string;
  readonly quotas: Readonly<Quotas>;
  readonly timeZone: string;
}

/** The quotas that one message counts for; at least one of them is there. */
export interface MessageQuotas {
  readonly tenant: QuotaScope | null;
  readonly config: QuotaScope | null;
}

/** One limit in the period that runs. */
export interface QuotaCounter {
  readonly clientId: string;
  readonly scope: string;
  readonly period: QuotaPeriod;
  readonly limit: number;
  readonly hard: boolean;
  readonly timeZone: string;
  /** When the period began and when the next one begins, milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
}

export function tenantScope(clientId: string, limits: TenantLimits): QuotaScope | null {
  return limits.quotas && { clientId, scope: '', quotas: limits.quotas, timeZone: limits.timeZone };
}

export function configScope(config: ProviderConfig, limits: TenantLimits): QuotaScope | null {
  return (
    config.quotas && {
      clientId: config.clientId,
      scope: config.id,
      quotas: config.quotas,
      timeZone: limits.timeZone,
    }
  );
}

/** The limits of a scope at a moment: one or two. */
export function countersOf({ clientId, scope, quotas, timeZone }: QuotaScope, now: number): QuotaCounter[] {
  return QUOTA_PERIODS.flatMap((period) => {
    const limit = quotas[period];
    if (limit === undefined) return [];
    const { start, end } = periodAt(period, timeZone, now);
    return [{ clientId, scope, period, limit, hard: quotas.mode !== 'soft', timeZone, start, end }];
  });
}

interface Span {
  start: number;
  end: number;
}

const spans = new Map<string, Span>();

/** The day or calendar month of a time zone that holds a moment. A day of a change to or from summer time has 23 or 25 hours. */
export function periodAt(period: QuotaPeriod, timeZone: string, now: number): Span {
  const key = `${period} ${timeZone}`;
  const known = spans.get(key);
  if (known && now >= known.start && now < known.end) return known;
  const [unit, next] = period === 'daily' ? (['day', { days: 1 }] as const) : (['month', { months: 1 }] as const);
  const here = DateTime.fromMillis(now, { zone: timeZone });
  const start = here.startOf(unit);
  const span = { start: start.toMillis(), end: start.plus(next).startOf(unit).toMillis() };
  // A name that this build's time zone data does not have.
  if (!here.isValid) return periodAt(period, 'UTC', now);
  spans.set(key, span);
  return span;
}
