import type { PublicUrl } from '../../config/public-url';
import type { Clock } from '../../kernel/clock';
import { Problem } from '../../kernel/problem';
import { Secret } from '../../kernel/secret';
import type { TenantDirectory } from '../../tenancy/tenant-directory';
import type { CallbackKind } from '../contracts/gateway';
import { needsUrlToken } from '../gateway-calls';
import type { GatewayHealth } from '../health/gateway-health';
import type { ProviderRegistry } from '../provider-registry';
import { NO_USAGE } from '../usage/usage-figures';
import type { UsageOutlet } from '../usage/usage-outlet';
import { usagePeriodOf, type UsagePeriodQueryDto } from '../usage/usage-query';
import type { UsagePanelView } from '../usage/usage.view';
import { ConfigView, type ConfigTestView } from './config.view';
import type { ConfigLifeCycle } from './config-life-cycle';
import type { ConfigSubscriber } from './config-subscriber';
import type { ProviderConfig } from './provider-config';

/** The longest look at a config's usage. */
const MOST_DAYS = 3_660;

/** What the presenter stands on. */
export interface ConfigPresenterDeps {
  registry: ProviderRegistry;
  usage: UsageOutlet;
  tenants: Pick<TenantDirectory, 'get'>;
  health: GatewayHealth;
  lifeCycle: ConfigLifeCycle;
  subscriber: Pick<ConfigSubscriber, 'subscribe'>;
  publicUrl: PublicUrl;
  clock: Clock;
}

/** Shows configs as the contract says, with what they have sent. */
export class ConfigPresenter {
  constructor(private readonly deps: ConfigPresenterDeps) {}

  async views(clientId: string, configs: readonly ProviderConfig[]): Promise<ConfigView[]> {
    const ids = configs.map((config) => config.id);
    const usage = ids.length > 0 ? await this.deps.usage.get().lately(clientId, ids) : new Map<string, never>();
    return configs.map((config) => ConfigView.of(config, usage.get(config.id) ?? NO_USAGE, this.callbackUrls(config)));
  }

  /** @throws Problem 400 for a period that is none */
  async usage(config: ProviderConfig, query: UsagePeriodQueryDto): Promise<UsagePanelView> {
    const { settings } = await this.deps.tenants.get(config.clientId);
    const defaults = { timeZone: settings.timeZone, now: this.deps.clock.now(), mostDays: MOST_DAYS };
    return this.deps.usage.get().panel(config.clientId, config.id, usagePeriodOf(query, defaults));
  }

  /** Asks the provider; a config in error that works goes back into service. @throws Problem 409 for a decommissioned one */
  async test(config: ProviderConfig): Promise<ConfigTestView> {
    if (config.status === 'decommissioned')
      throw new Problem('conflict', 'A config that is decommissioned cannot be tested.');
    const check = await this.deps.health.check(config);
    const fault = check.healthy && config.status === 'error' ? await this.deps.subscriber.subscribe(config) : undefined;
    const healthy = check.healthy && fault === undefined;
    const recovered =
      healthy && config.status === 'error' && (await this.deps.lifeCycle.markRecovered(config.id, config.version));
    return {
      healthy,
      latency_ms: check.latencyMs,
      checked_at: new Date(check.checkedAt).toISOString(),
      ...(check.error !== undefined && { error: check.error }),
      ...(check.errorClass !== undefined && { error_class: check.errorClass }),
      ...(fault && { error: fault.message, error_class: 'config' as const }),
      status: recovered ? 'active' : config.status,
    };
  }

  private callbackUrls(config: ProviderConfig): Partial<Record<CallbackKind, string>> {
    const definition = this.deps.registry.require(config.provider);
    // Which there are, not what they are: a view opens no secret.
    const given = Object.fromEntries(
      Object.keys(config.credentials).map((name) => [name.replace(/_ref$/, ''), new Secret('')]),
    );
    const kinds = (Object.keys(definition.callbacks) as CallbackKind[]).filter(
      (kind) => !needsUrlToken(definition, kind, given),
    );
    return Object.fromEntries(
      kinds.map((kind) => [kind, `${this.deps.publicUrl.get()}/webhook/${definition.slug}/${kind}/${config.id}`]),
    );
  }
}
