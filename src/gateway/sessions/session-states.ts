import type { ProviderConfig } from '../configs/provider-config';
import type { HealthReport } from '../contracts/gateway';
import type { ProviderRegistry } from '../provider-registry';
import type { LaneOwnership } from './lane-ownership';
import type { SessionLeases } from './session-leases';

/** How long the one who holds a session, or is about to, may take to tell how it is. */
const PATIENCE_MS = 3_000;
const LOOK_MS = 150;

/** How sessions are that other processes hold: a bind of our own would be one too many. */
export class SessionStates {
  constructor(
    private readonly registry: ProviderRegistry,
    private readonly ownership: LaneOwnership,
    private readonly leases: SessionLeases,
  ) {}

  /** Whether this process holds the config's session. */
  isMine(config: Pick<ProviderConfig, 'id'>): boolean {
    return this.ownership.mine(config.id);
  }

  /** What the owner found; undefined when this process has to ask the provider itself. */
  async elsewhere(config: Pick<ProviderConfig, 'id' | 'provider' | 'status'>): Promise<HealthReport | undefined> {
    if (config.status !== 'active' || this.registry.require(config.provider).session === undefined) return undefined;
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      if (this.ownership.mine(config.id)) return undefined;
      const found = await this.leases.find(config.id);
      if (found && found.report !== 'opening') return found.report;
      if (performance.now() >= until)
        return found && { healthy: false, error: 'the session is being opened', errorClass: 'transient' };
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
