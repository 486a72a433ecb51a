import type { Clock } from '../../kernel/clock';
import type { Problem } from '../../kernel/problem';
import type { ConfigDirectory } from '../configs/config-directory';
import type { ProviderConfig } from '../configs/provider-config';
import { configScope, tenantScope, type QuotaCounter, type QuotaScope } from './quota-scope';
import type { QuotaLedger } from './quota-ledger';
import { quotaExceeded } from './quota-problem';
import { QuotaView } from './quota.view';

/** A period that has just begun says little about its pace: it counts as this old at least. */
const YOUNGEST_MS = 60_000;

/** Answers how tenants and configs stand with their quotas. */
export class QuotaReader {
  constructor(
    private readonly ledger: QuotaLedger,
    private readonly directory: ConfigDirectory,
    private readonly clock: Clock,
  ) {}

  /** The tenant's own quotas: none, one or two. */
  async ofTenant(clientId: string): Promise<QuotaView[]> {
    const scope = tenantScope(clientId, await this.ledger.limits(clientId));
    return this.views(scope ? [scope] : []);
  }

  /**
   * The 429 that a new message gets, as far as this process knows; undefined: none.
   * @param config the one that it would take, when its quota is used up
   */
  async refusal(clientId: string, config: ProviderConfig | undefined): Promise<Problem | undefined> {
    const ofTenant = this.ledger.tenantUsedUp(clientId, await this.ledger.limits(clientId));
    const usedUp = ofTenant ?? (config && this.ledger.configUsedUp(config));
    return usedUp && quotaExceeded(usedUp, this.clock.now());
  }

  /** The quotas of one config. */
  async ofConfig(clientId: string, configId: string): Promise<QuotaView[]> {
    const config = await this.directory.config(clientId, configId);
    const scope = config && configScope(config, await this.ledger.limits(clientId));
    return this.views(scope ? [scope] : []);
  }

  /** All of a tenant: its own first, then those of its configs, the oldest config first. */
  async ofAll(clientId: string): Promise<QuotaView[]> {
    const limits = await this.ledger.limits(clientId);
    const snapshot = await this.directory.snapshot(clientId);
    const configs = [...snapshot.allConfigs()].filter(({ status }) => status !== 'decommissioned');
    const scopes = [tenantScope(clientId, limits), ...configs.map((config) => configScope(config, limits))];
    return this.views(scopes.filter((scope) => scope !== null));
  }

  private async views(scopes: readonly QuotaScope[]): Promise<QuotaView[]> {
    const counters = scopes.flatMap((scope) => this.ledger.counters(scope));
    const used = await this.ledger.used(counters);
    return counters.map((counter) => viewOf(counter, used.get(counter)!, this.clock.now()));
  }
}

/**
 * @param used may be over the limit of a soft quota, or of one that was lowered
 * @param now within the period
 */
export function viewOf(counter: QuotaCounter, used: number, now: number): QuotaView {
  const { limit, start, end } = counter;
  const elapsed = Math.min(Math.max(now - start, YOUNGEST_MS), end - start);
  const exhaustedAt = used === 0 ? Number.POSITIVE_INFINITY : start + (elapsed * limit) / used;
  const pace = limit === 0 ? (used === 0 ? 0 : null) : used / limit / (elapsed / (end - start));
  return {
    scope: counter.scope === '' ? 'tenant' : 'config',
    config_id: counter.scope === '' ? null : counter.scope,
    period: counter.period,
    mode: counter.hard ? 'hard' : 'soft',
    limit,
    used,
    remaining: Math.max(0, limit - used),
    time_zone: counter.timeZone,
    period_start: new Date(start).toISOString(),
    resets_at: new Date(end).toISOString(),
    burn_rate: pace === null ? null : Math.round(pace * 1000) / 1000,
    projected_exhaustion_at: exhaustedAt < end ? new Date(Math.round(exhaustedAt)).toISOString() : null,
  };
}

/** The quota that will be used up first, or has the smallest share left; undefined without quotas. */
export function tightest(quotas: readonly QuotaView[]): QuotaView | undefined {
  const share = ({ limit, remaining }: QuotaView) => (limit === 0 ? 0 : remaining / limit);
  const when = ({ projected_exhaustion_at: at }: QuotaView) =>
    at === null ? Number.POSITIVE_INFINITY : Date.parse(at);
  return quotas.reduce<QuotaView | undefined>((one, other) => {
    if (one === undefined) return other;
    const [a, b] = [when(one), when(other)];
    return b < a || (a === b && share(other) < share(one)) ? other : one;
  }, undefined);
}
