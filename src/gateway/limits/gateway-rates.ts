import type { Clock } from '../../kernel/clock';
import { TokenBucket } from '../../kernel/token-bucket';

/** What a rate limit needs to know of a config. */
export interface RatedConfig {
  /** `cfg_…` */
  readonly id: string;
  /** Requests a second; null: no limit. */
  readonly perSecond: number | null;
}

/** How fast each config may be called. `perSecond` is looked up for each call, so a changed limit holds at once. */
export abstract class GatewayRates {
  /**
   * Takes one call's token.
   * @returns 0 when it was taken, else milliseconds after which to ask again
   */
  abstract take(config: RatedConfig): number;

  /** How many calls may be made right now, as far as this process knows; null: any number. Takes nothing. */
  abstract available(config: RatedConfig): number | null;

  /** Gives a token back that was taken for a call which was not made. */
  abstract giveBack(configId: string): void;

  /** No calls until then (a 429 with Retry-After). A longer pause that is known already stays. */
  abstract pause(configId: string, untilMs: number): void;

  /** Milliseconds since the epoch; 0 when it is not paused. */
  abstract pausedUntil(configId: string): number;

  /** Every config that is paused, until when. */
  abstract paused(): Array<[configId: string, untilMs: number]>;
}

/**
 * How a limit of `perSecond` is kept without ever going over it in any one second: what may come at once plus what flows in a second is
 * the limit.
 */
export function bucketShape(perSecond: number): { rate: number; burst: number } {
  const burst = Math.max(1, Math.floor(perSecond / 20));
  return { rate: burst > 1 ? perSecond - burst : perSecond, burst };
}

/** Pauses by config; those that are over are dropped when they are looked at. */
export class Pauses {
  private readonly until = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  set(configId: string, untilMs: number): void {
    if (untilMs > this.get(configId)) this.until.set(configId, untilMs);
  }

  get(configId: string): number {
    if (this.until.size === 0) return 0;
    const until = this.until.get(configId);
    if (until === undefined) return 0;
    if (until > this.clock.now()) return until;
    this.until.delete(configId);
    return 0;
  }

  list(): Array<[configId: string, untilMs: number]> {
    return [...this.until.keys()].flatMap((configId) => {
      const until = this.get(configId);
      return until === 0 ? [] : [[configId, until] satisfies [string, number]];
    });
  }
}

/** Limits of one process alone: right when no other process sends. */
export class LocalRates extends GatewayRates {
  private readonly buckets = new Map<string, { perSecond: number; bucket: TokenBucket }>();
  private readonly pauses: Pauses;

  constructor(private readonly clock: Clock) {
    super();
    this.pauses = new Pauses(clock);
  }

  take(config: RatedConfig): number {
    const paused = this.pauses.get(config.id);
    if (paused > 0) return paused - this.clock.now();
    if (config.perSecond === null) return 0;
    const bucket = this.bucketOf(config.id, config.perSecond);
    return bucket.take() ? 0 : Math.max(1, bucket.waitMs());
  }

  available(config: RatedConfig): number | null {
    if (this.pauses.get(config.id) > 0) return 0;
    if (config.perSecond === null) return null;
    const known = this.buckets.get(config.id);
    // A bucket that nothing was taken from yet is full.
    return known?.perSecond === config.perSecond ? known.bucket.available() : bucketShape(config.perSecond).burst;
  }

  giveBack(configId: string): void {
    this.buckets.get(configId)?.bucket.giveBack();
  }

  pause(configId: string, untilMs: number): void {
    this.pauses.set(configId, untilMs);
  }

  pausedUntil(configId: string): number {
    return this.pauses.get(configId);
  }

  paused(): Array<[configId: string, untilMs: number]> {
    return this.pauses.list();
  }

  private bucketOf(configId: string, perSecond: number): TokenBucket {
    const known = this.buckets.get(configId);
    if (known?.perSecond === perSecond) return known.bucket;
    const { rate, burst } = bucketShape(perSecond);
    const bucket = new TokenBucket(rate, burst, this.clock);
    this.buckets.set(configId, { perSecond, bucket });
    return bucket;
  }
}
