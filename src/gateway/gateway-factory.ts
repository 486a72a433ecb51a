import type { AppConfig } from '../config/app-config';
import type { Channel } from '../kernel/channel';
import { Dialer } from '../platform/http-client/dialer';
import type { SsrfGuard } from '../platform/http-client/ssrf-guard';
import type { Gateway } from './contracts/gateway';
import type { GatewayDeps, ProviderDefinition, ProviderUrl } from './contracts/provider-definition';
import { STAND_IN_HOST } from './contracts/simulator';
import type { ProviderRegistry } from './provider-registry';
import type { SimulatorAddress } from './simulator-address';

/** DI token of one provider's {@link Gateway}: `@Inject(gatewayToken('sms', 'twilio'))`. */
export function gatewayToken(channel: Channel, provider: string): string {
  return `gateway:${channel}:${provider}`;
}

/** The only way to a {@link Gateway}: one instance a provider and process. */
export class GatewayFactory {
  private readonly made = new Map<string, Gateway>();

  constructor(
    private readonly registry: ProviderRegistry,
    private readonly common: Pick<GatewayDeps, 'http' | 'clock' | 'reports'> & { guard: SsrfGuard },
    private readonly overrides: AppConfig['baseUrls'],
    private readonly simulator: SimulatorAddress,
  ) {}

  /**
   * @param provider key, slug or alias
   * @throws Error for a provider that the channel does not have
   */
  create(channel: Channel, provider: string): Gateway {
    const made = this.made.get(provider);
    const definition = this.registry.find(provider, channel);
    if (!definition) throw new Error(`the channel ${channel} has no provider "${provider}"`);
    if (made) return made;
    let gateway = this.made.get(definition.key);
    if (!gateway) {
      gateway = definition.create(this.depsOf(definition));
      this.made.set(definition.key, gateway);
    }
    this.made.set(provider, gateway);
    return gateway;
  }

  /** Where a provider's API is: the operator's override, else the simulator's stand-in, else the provider itself. Empty when each config says. */
  baseUrlOf(definition: ProviderDefinition): string {
    return definition.baseUrl === null ? '' : this.urlOf(definition.baseUrl, definition.key, '');
  }

  private urlOf(url: ProviderUrl, key: string, path: string): string {
    const overrides: Readonly<Record<string, string | undefined>> = this.overrides;
    const override = overrides[url.env];
    if (override !== undefined) return override;
    const standIn = this.simulator.url(key);
    return standIn === undefined ? url.default : standIn + path;
  }

  private depsOf(definition: ProviderDefinition): GatewayDeps {
    const baseUrl = (): string => this.baseUrlOf(definition);
    const { guard, ...common } = this.common;
    let known: string | undefined;
    return {
      ...common,
      dialer: new Dialer(guard, (host) => (host === STAND_IN_HOST ? this.simulator.socket(definition.key) : undefined)),
      furtherUrl: (name) => this.urlOf(definition.furtherUrls![name]!, definition.key, `/${name}`),
      // A getter: the simulator's address is not known while modules are made. Read once, then kept.
      get baseUrl() {
        return (known ??= baseUrl());
      },
    };
  }
}
