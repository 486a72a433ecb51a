import type { ProviderConfig } from '../configs/provider-config';
import type { ProviderRegistry } from '../provider-registry';

/**
 * Which sessions this process holds, so which lanes it may send on. By the monotonic clock: a process that was frozen knows at once that its time
 * is over.
 */
export class LaneOwnership {
  private readonly until = new Map<string, number>();

  constructor(private readonly registry: ProviderRegistry) {}

  /** Whether this process holds the config's session now. */
  mine(configId: string): boolean {
    const until = this.until.get(configId);
    return until !== undefined && until > performance.now();
  }

  /**
   * Whether this process may take messages of a config's lane. Always where there is no session; and where a config is not active, since nobody
   * holds its session then and its messages have to go on to the next gateway.
   */
  mayEnter(config: Pick<ProviderConfig, 'id' | 'provider' | 'status'>): boolean {
    return (
      this.registry.require(config.provider).session === undefined || config.status !== 'active' || this.mine(config.id)
    );
  }

  /** @param until by `performance.now()` */
  hold(configId: string, until: number): void {
    this.until.set(configId, until);
  }

  drop(configId: string): void {
    this.until.delete(configId);
  }

  /** What is held, or was until its time was over. */
  held(): string[] {
    return [...this.until.keys()];
  }
}
