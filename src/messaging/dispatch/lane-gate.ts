import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import type { ProviderConfig } from '../../gateway/configs/provider-config';
import { ConfigDirectory } from '../../gateway/configs/config-directory';
import { GatewayRates } from '../../gateway/limits/gateway-rates';
import { ProviderRegistry } from '../../gateway/provider-registry';
import { LaneOwnership } from '../../gateway/sessions/lane-ownership';
import { LONGEST_WAIT_MS } from './failover.policy';

/** Calls under way at once for a lane whose config is not known (any more). */
const DEFAULT_WINDOW = 50;

/**
 * Decides, before a message is claimed, whether its lane may take one more: the provider's window of calls, and the config's rate. A
 * message that has to wait for its rate stays where it is and costs nothing.
 */
@Injectable()
export class LaneGate {
  private readonly underWay = new Map<string, number>();
  private readonly closedUntil = new Map<string, number>();

  constructor(
    private readonly directory: ConfigDirectory,
    private readonly rates: GatewayRates,
    private readonly registry: ProviderRegistry,
    private readonly ownership: LaneOwnership,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Whether another process, or none yet, holds the connections of the lane's account: nothing of the lane is for this process now. */
  isElsewhere(clientId: string, lane: string): boolean {
    const config = this.directory.snapshotSync(clientId)?.config(lane);
    return config !== undefined && !this.ownership.mayEnter(config);
  }

  /** Lanes whose account's connections this process alone holds. */
  ownLanes(): string[] {
    return this.ownership.held().filter((lane) => this.ownership.mine(lane));
  }

  /** Takes a place, and a token of the config's rate; whoever got true calls {@link leave}. */
  enter(clientId: string, lane: string): boolean {
    const now = this.clock.now();
    const closed = this.closedUntil.get(lane);
    if (closed !== undefined) {
      if (closed > now) return false;
      this.closedUntil.delete(lane);
    }
    const snapshot = this.directory.snapshotSync(clientId);
    if (!snapshot) {
      // Loaded once for all that wait for it; the lane opens when it is there.
      this.closedUntil.set(lane, now + 5);
      void this.directory.snapshot(clientId).catch(() => this.closedUntil.set(lane, this.clock.now() + 500));
      return false;
    }
    const config = snapshot.config(lane);
    // Another process holds the account's connections; it finds the message.
    if (config && !this.ownership.mayEnter(config)) return false;
    const underWay = this.underWay.get(lane) ?? 0;
    const window = config ? this.windowOf(config) : DEFAULT_WINDOW;
    if (underWay >= window) return false;
    // A long pause is not waited for: the message goes on to its next gateway, so it has to be claimed.
    const paused = this.rates.pausedUntil(lane) - now;
    if (config && paused <= LONGEST_WAIT_MS) {
      const wait = this.rates.take(config);
      if (wait > 0) {
        this.closedUntil.set(lane, now + wait);
        return false;
      }
    }
    this.underWay.set(lane, underWay + 1);
    return true;
  }

  private windowOf(config: ProviderConfig): number {
    const { window, windowSetting } = this.registry.require(config.provider).limits;
    const own = windowSetting === undefined ? undefined : config.settings[windowSetting];
    return typeof own === 'number' ? own : window;
  }

  /** Gives a place up; and, when it was not used for a call, the token of the config's rate too. */
  leave(lane: string, { unused }: { unused: boolean }): void {
    // In a long pause no token was taken.
    if (unused && this.rates.pausedUntil(lane) - this.clock.now() <= LONGEST_WAIT_MS) {
      this.rates.giveBack(lane);
      this.closedUntil.delete(lane);
    }
    const underWay = (this.underWay.get(lane) ?? 1) - 1;
    if (underWay > 0) this.underWay.set(lane, underWay);
    else this.underWay.delete(lane);
  }

  /** Milliseconds until the first lane that is closed for its rate opens; undefined when none is. */
  opensIn(): number | undefined {
    const now = this.clock.now();
    let first: number | undefined;
    for (const [lane, until] of this.closedUntil) {
      // Its time is over and nobody came: there is nothing to wait for.
      if (until <= now) this.closedUntil.delete(lane);
      else if (first === undefined || until < first) first = until;
    }
    return first === undefined ? undefined : first - now;
  }

  /** Whether a lane waits for its rate now. */
  isClosed(lane: string): boolean {
    return (this.closedUntil.get(lane) ?? 0) > this.clock.now() || this.rates.pausedUntil(lane) > this.clock.now();
  }
}
