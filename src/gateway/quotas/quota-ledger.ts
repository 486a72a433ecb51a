import type { Clock } from '../../kernel/clock';
import { messageIdTime } from '../../kernel/ids';
import type { Database } from '../../platform/database/database';
import type { EventSignal } from '../../platform/events/event-store';
import { quotasOf, type TenantLimits } from '../../tenancy/quotas';
import type { Principal } from '../../tenancy/principal';
import type { TenantDirectory } from '../../tenancy/tenant-directory';
import type { ProviderConfig } from '../configs/provider-config';
import { longest, type QuotaHints, type UsedUp } from './quota-hints';
import {
  configScope,
  countersOf,
  tenantScope,
  type MessageQuotas,
  type QuotaCounter,
  type QuotaScope,
} from './quota-scope';
import { ENTER, OPEN, READ, counterParameters, openParameters, type ChargedRow } from './quota-statements';

/** How often a counter that is not there is opened before that is taken for a fault. */
const MOST_TRIES = 3;

/**
 * How much of the quotas is used. Messages are charged by the statement that stores them, so this knows of charges only what it is told; it finds out
 * which quotas count for a message, opens the counters of a new period, and keeps the hints true.
 */
export class QuotaLedger {
  constructor(
    private readonly database: Database,
    private readonly tenants: Pick<TenantDirectory, 'get' | 'peek'>,
    private readonly hints: QuotaHints,
    private readonly signal: EventSignal,
    private readonly clock: Clock,
  ) {}

  /** What limits a tenant; with a request's principal at hand it is known already. */
  limitsOf(principal: Pick<Principal, 'clientId' | 'limits'>): TenantLimits | Promise<TenantLimits> {
    return principal.limits ?? this.limits(principal.clientId);
  }

  async limits(clientId: string): Promise<TenantLimits> {
    const { quotas, settings } = this.tenants.peek(clientId) ?? (await this.tenants.get(clientId));
    return { quotas: quotasOf(quotas), timeZone: settings.timeZone };
  }

  /** The quotas that a message counts for; null, as for most, when there are none. */
  quotasFor(clientId: string, limits: TenantLimits, config: ProviderConfig | undefined): MessageQuotas | null {
    if (limits.quotas === null && !config?.quotas) return null;
    return { tenant: tenantScope(clientId, limits), config: config ? configScope(config, limits) : null };
  }

  /** The hard quota of a tenant that is known to be used up. */
  tenantUsedUp(clientId: string, limits: TenantLimits): UsedUp | undefined {
    return limits.quotas === null ? undefined : this.hints.usedUp(clientId, '', limits.quotas);
  }

  /** The hard quota of a config that is known to be used up. */
  configUsedUp(config: ProviderConfig): UsedUp | undefined {
    return config.quotas === null ? undefined : this.hints.usedUp(config.clientId, config.id, config.quotas);
  }

  counters(scope: QuotaScope): QuotaCounter[] {
    return countersOf(scope, this.clock.now());
  }

  /** Opens counters that a statement did not find. */
  async open(counters: readonly QuotaCounter[]): Promise<void> {
    await this.database.execute(OPEN, openParameters(counters));
  }

  /**
   * Takes note of counters that were charged, once that is committed.
   * @param counters all of the statement, in its order
   * @returns by counter, what is used; the counters that were not found are not in it
   */
  note(counters: readonly QuotaCounter[], rows: readonly ChargedRow[]): Map<QuotaCounter, number> {
    const used = new Map<QuotaCounter, number>();
    const told = new Set<string>();
    for (const row of rows) {
      const counter = counters[row.no]!;
      used.set(counter, Number(row.used));
      if (counter.hard && Number(row.used) >= counter.limit) this.hints.note({ ...counter, used: Number(row.used) });
      if (row.told) told.add(counter.clientId);
    }
    if (told.size > 0) this.signal.committed(told);
    return used;
  }

  /** Takes a place in a config's quotas for a message that goes on to it; false when there is none. */
  async enter(config: ProviderConfig, messageId: string): Promise<boolean> {
    const scope = configScope(config, await this.limits(config.clientId));
    if (scope === null) return true;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const counters = this.counters(scope);
      const rows = await this.database.query<ChargedRow & { entered: boolean }>(ENTER, [
        messageId,
        messageIdTime(messageId),
        config.id,
        ...counterParameters([counters]),
      ]);
      const found = rows.filter(({ no }) => no !== null);
      this.note(counters, found);
      if (found.length === counters.length) return rows[0]!.entered;
      await this.open(counters);
    }
    throw new Error('the counters of a quota cannot be opened');
  }

  /** What is used of each counter at the moment. */
  async used(counters: readonly QuotaCounter[]): Promise<Map<QuotaCounter, number>> {
    if (counters.length === 0) return new Map();
    for (let tries = 0; ; tries++) {
      const rows = await this.database.query<{ no: string; used: string }>(READ, openParameters(counters));
      if (rows.length === counters.length)
        return this.note(
          counters,
          rows.map(({ no, used }) => ({ no: Number(no) - 1, used, told: false })),
        );
      if (tries === MOST_TRIES) throw new Error('the counters of a quota cannot be opened');
      await this.open(counters);
    }
  }
}

/** Of what a statement says, the hard quota of a scope that is used up. */
export function usedUpOf(
  counters: readonly QuotaCounter[],
  used: ReadonlyMap<QuotaCounter, number>,
): UsedUp | undefined {
  return longest(
    counters.flatMap((counter) => {
      const count = used.get(counter);
      return counter.hard && count !== undefined && count >= counter.limit ? [{ ...counter, used: count }] : [];
    }),
  );
}
