import type { Channel } from '../../kernel/channel';
import type { ProviderRegistry } from '../provider-registry';
import type { ProviderConfig } from '../configs/provider-config';
import {
  DEFAULT_ON_AMBIGUOUS,
  DEFAULT_RECONCILE_SECONDS,
  type ChannelRoutes,
  type OnAmbiguous,
  type RoutesByChannel,
} from './routes';

/** One gateway that the tenant's routes name for a message, in order. */
export type Step =
  | { gateway: string; reason: string; config: ProviderConfig }
  | { gateway: string; configId?: string; skip: string; temporary: boolean };

/** What follows from the routes alone, before the recipient's country and the circuits are looked at. */
export interface Plan {
  readonly steps: readonly Step[];
  readonly onAmbiguous: OnAmbiguous;
  readonly reconcileSeconds: number;
}

interface ChannelIndex {
  routes: ChannelRoutes;
  /** Prefix lengths that the routing uses, longest first. */
  lengths: readonly number[];
}

/**
 * A tenant's configs and routes at one moment; immutable. Plans are worked out once for each prefix and kept: there are no more of them
 * than the document has lines.
 */
export class TenantGateways {
  private readonly configs = new Map<string, ProviderConfig>();
  private readonly byProvider = new Map<string, ProviderConfig[]>();
  private readonly channels = new Map<Channel, ChannelIndex>();
  private readonly plans = new Map<string, Plan>();

  constructor(
    private readonly registry: ProviderRegistry,
    /** Oldest first. */
    configs: readonly ProviderConfig[],
    readonly routes: RoutesByChannel,
  ) {
    for (const config of configs) {
      this.configs.set(config.id, config);
      const others = this.byProvider.get(config.provider);
      if (others) others.push(config);
      else this.byProvider.set(config.provider, [config]);
    }
    for (const [channel, part] of Object.entries(routes) as Array<[Channel, ChannelRoutes]>) {
      const lengths = new Set(Object.keys(part.routing ?? {}).map((prefix) => (prefix === '*' ? 0 : prefix.length)));
      this.channels.set(channel, { routes: part, lengths: [...lengths].sort((a, b) => b - a) });
    }
  }

  config(configId: string): ProviderConfig | undefined {
    return this.configs.get(configId);
  }

  allConfigs(): IterableIterator<ProviderConfig> {
    return this.configs.values();
  }

  /** The tenant's active config of a provider, the oldest when it has several. */
  activeConfigOf(providerKey: string): ProviderConfig | undefined {
    return this.byProvider.get(providerKey)?.find((config) => config.status === 'active');
  }

  /** @param forced the provider or `cfg_…` that the request asks for: then it alone is used */
  plan(channel: Channel, to: string, forced?: string): Plan {
    const index = this.channels.get(channel);
    const prefix = forced === undefined && index ? longestPrefix(index, to) : undefined;
    const key = forced === undefined ? `${channel} ${prefix ?? ''}` : `${channel}=${forced}`;
    const known = this.plans.get(key);
    if (known) return known;
    const plan = this.work(channel, index?.routes, prefix, forced);
    // A forced name is the request's own text: only those that exist are kept, so that requests cannot fill the memory.
    if (forced === undefined || this.configs.has(forced) || this.registry.find(forced)) this.plans.set(key, plan);
    return plan;
  }

  private work(
    channel: Channel,
    routes: ChannelRoutes | undefined,
    prefix: string | undefined,
    forced: string | undefined,
  ): Plan {
    const targets: Array<{ target: string; reason: string }> = [];
    if (forced !== undefined) targets.push({ target: forced, reason: 'provider' });
    else if (routes) {
      const routed = prefix === undefined ? undefined : routes.routing?.[prefix];
      if (routed !== undefined) targets.push({ target: routed, reason: `routing[${prefix}]` });
      targets.push({ target: routes.primary, reason: 'primary' });
      routes.fallback?.forEach((target, i) => targets.push({ target, reason: `fallback[${i}]` }));
    }
    const steps: Step[] = [];
    const seen = new Set<string>();
    for (const { target, reason } of targets) {
      const step = this.step(channel, target, reason);
      const identity = 'config' in step ? step.config.id : (step.configId ?? step.gateway);
      if (seen.has(identity)) continue;
      seen.add(identity);
      steps.push(step);
    }
    return {
      steps,
      onAmbiguous: routes?.on_ambiguous ?? DEFAULT_ON_AMBIGUOUS,
      reconcileSeconds: routes?.reconcile_seconds ?? DEFAULT_RECONCILE_SECONDS,
    };
  }

  private step(channel: Channel, target: string, reason: string): Step {
    if (target.startsWith('cfg_')) {
      const config = this.configs.get(target);
      if (!config) return { gateway: target, skip: 'unknown_config', temporary: false };
      if (config.channel !== channel)
        return { gateway: config.provider, configId: config.id, skip: 'wrong_channel', temporary: false };
      return this.stepOf(config, reason);
    }
    const definition = this.registry.find(target, channel);
    if (!definition) return { gateway: target, skip: 'unknown_provider', temporary: false };
    const configs = this.byProvider.get(definition.key) ?? [];
    const config =
      this.activeConfigOf(definition.key) ?? configs.find((other) => other.status === 'error') ?? configs[0];
    return config ? this.stepOf(config, reason) : { gateway: definition.key, skip: 'no_config', temporary: false };
  }

  private stepOf(config: ProviderConfig, reason: string): Step {
    if (this.registry.get(config.provider)?.inboundOnly)
      return { gateway: config.provider, configId: config.id, skip: 'inbound_only', temporary: false };
    return stepOf(config, reason);
  }
}

function stepOf(config: ProviderConfig, reason: string): Step {
  if (config.status === 'active') return { gateway: config.provider, reason, config };
  // A config in error is probed and comes back by itself; the other states are what the tenant wants.
  const temporary = config.status === 'error';
  return { gateway: config.provider, configId: config.id, skip: `config_${config.status}`, temporary };
}

function longestPrefix(index: ChannelIndex, to: string): string | undefined {
  const routing = index.routes.routing;
  if (!routing) return undefined;
  for (const length of index.lengths) {
    const prefix = length === 0 ? '*' : to.slice(0, length);
    if (Object.hasOwn(routing, prefix)) return prefix;
  }
  return undefined;
}
