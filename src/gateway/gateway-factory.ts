import type { AppConfig } from '../config/app-config';
import type { Channel } from '../kernel/channel';
import type { Gateway } from './contracts/gateway';
import type { GatewayDeps, ProviderDefinition } from './contracts/provider-definition';
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
    private readonly common: Omit<GatewayDeps, 'baseUrl'>,
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

  /** Where a provider's API is: the operator's override, else the simulator's stand-in, else the provider itself. */
  baseUrlOf(definition: ProviderDefinition): string {
    const overrides: Readonly<Record<string, string | undefined>> = this.overrides;
    return overrides[definition.baseUrl.env] ?? this.simulator.url(definition.key) ?? definition.baseUrl.default;
  }

  private depsOf(definition: ProviderDefinition): GatewayDeps {
    const baseUrl = (): string => this.baseUrlOf(definition);
    let known: string | undefined;
    return {
      ...this.common,
      // A getter: the simulator's address is not known while modules are made. Read once, then kept.
      get baseUrl() {
        return (known ??= baseUrl());
      },
    };
  }
}
