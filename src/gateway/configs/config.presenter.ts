import type { PublicUrl } from '../../config/public-url';
import type { Clock } from '../../kernel/clock';
import { Problem } from '../../kernel/problem';
import { Secret } from '../../kernel/secret';
import type { CallbackKind } from '../contracts/gateway';
import { needsUrlToken } from '../gateway-calls';
import type { GatewayHealth } from '../health/gateway-health';
import type { ProviderRegistry } from '../provider-registry';
import { ConfigUsageView, ConfigView, type ConfigTestView } from './config.view';
import type { ConfigLifeCycle } from './config-life-cycle';
import type { ConfigSubscriber } from './config-subscriber';
import type { ConfigUsageReader } from './config-usage';
import type { ProviderConfig } from './provider-config';

const USAGE_MS = 30 * 24 * 3_600_000;

/** What the presenter stands on. */
export interface ConfigPresenterDeps {
  registry: ProviderRegistry;
  usage: ConfigUsageReader;
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
    const { from, to } = this.period({});
    const usage = await this.deps.usage.of(clientId, ids, from, to);
    return configs.map((config) => ConfigView.of(config, usage.get(config.id)!, this.callbackUrls(config)));
  }

  async usage(config: ProviderConfig, from: Date, to: Date): Promise<ConfigUsageView> {
    const usage = await this.deps.usage.of(config.clientId, [config.id], from, to);
    return ConfigUsageView.of(usage.get(config.id)!);
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

  /** A period with its defaults: the 30 days until now. */
  period(given: { from?: Date; to?: Date }): { from: Date; to: Date } {
    const to = given.to ?? new Date(this.deps.clock.now());
    return { from: given.from ?? new Date(to.getTime() - USAGE_MS), to };
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
