import type { Redis } from 'ioredis';
import type { Clock } from '../../kernel/clock';
import type { Logger } from '../../kernel/logger';
import { bucketShape, GatewayRates, LocalRates, Pauses, type RatedConfig } from './gateway-rates';

interface Lease {
  perSecond: number;
  tokens: number;
  /** Leased tokens that are not used in time are lost: used late they would come on top of another second's. */
  expiresAt: number;
  /** The shared bucket is empty until then. */
  blockedUntil: number;
  asking: boolean;
}

/** Ask again after this while a lease is on its way. */
const SOON_MS = 3;
const LEASE_MS = 1_000;
/** While Redis does not answer, how long the process goes by its own limit before it asks again. */
const ALONE_MS = 1_000;

// One bucket a config, by the clock of Redis. Answers how many tokens are given, how long until the next one, and until when it is paused.
const LEASE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local rate, burst, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local paused = tonumber(redis.call('PTTL', KEYS[2]))
if paused > 0 then return {0, 0, paused} end
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)
local given = math.min(want, math.floor(tokens))
tokens = tokens - given
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 60000)
return {given, math.ceil(math.max(0, 1 - tokens) * 1000 / rate), 0}
`;

// Keeps the longer of two pauses.
const PAUSE = `
if tonumber(redis.call('PTTL', KEYS[1])) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) end
return 0
`;

/**
 * Limits that several processes share through Redis. Each leases a few tokens at a time, so that a take costs no round trip. While Redis is
 * away each process keeps the limit by itself: messages go on, and a provider that is asked too fast says so.
 */
export class SharedRates extends GatewayRates {
  private readonly leases = new Map<string, Lease>();
  private readonly pauses: Pauses;
  private readonly alone: LocalRates;
  private aloneUntil = 0;

  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly prefix = 'unimsg:rate:',
  ) {
    super();
    this.pauses = new Pauses(clock);
    this.alone = new LocalRates(clock);
  }

  take(config: RatedConfig): number {
    const now = this.clock.now();
    const paused = this.pauses.get(config.id);
    if (paused > 0) return paused - now;
    if (config.perSecond === null) return 0;
    if (now < this.aloneUntil) return this.alone.take(config);
    const lease = this.leaseOf(config.id, config.perSecond);
    if (lease.tokens > 0 && now < lease.expiresAt) {
      lease.tokens--;
      if (lease.tokens === 0 && !lease.asking && now >= lease.blockedUntil) this.ask(config.id, lease);
      return 0;
    }
    lease.tokens = 0;
    if (now < lease.blockedUntil) return lease.blockedUntil - now;
    if (!lease.asking) this.ask(config.id, lease);
    return SOON_MS;
  }

  /** Of what all processes share, what this one has leased, or would be given most. */
  available(config: RatedConfig): number | null {
    const now = this.clock.now();
    if (this.pauses.get(config.id) > 0) return 0;
    if (config.perSecond === null) return null;
    if (now < this.aloneUntil) return this.alone.available(config);
    const lease = this.leases.get(config.id);
    if (lease?.perSecond !== config.perSecond) return mostLeased(config.perSecond);
    if (lease.tokens > 0 && now < lease.expiresAt) return lease.tokens;
    return now < lease.blockedUntil ? 0 : mostLeased(config.perSecond);
  }

  giveBack(configId: string): void {
    const now = this.clock.now();
    if (now < this.aloneUntil) {
      this.alone.giveBack(configId);
      return;
    }
    // Of a lease that is over the token is lost, as all that were not used in its time.
    const lease = this.leases.get(configId);
    if (lease && now < lease.expiresAt) lease.tokens++;
  }

  pause(configId: string, untilMs: number): void {
    this.pauses.set(configId, untilMs);
    const ms = Math.ceil(untilMs - this.clock.now());
    if (ms > 0) this.redis.eval(PAUSE, 1, this.pauseKey(configId), ms).catch((error: unknown) => this.lost(error));
  }

  pausedUntil(configId: string): number {
    return this.pauses.get(configId);
  }

  paused(): Array<[configId: string, untilMs: number]> {
    return this.pauses.list();
  }

  private leaseOf(configId: string, perSecond: number): Lease {
    const known = this.leases.get(configId);
    if (known?.perSecond === perSecond) return known;
    const lease: Lease = { perSecond, tokens: 0, expiresAt: 0, blockedUntil: 0, asking: false };
    this.leases.set(configId, lease);
    return lease;
  }

  private ask(configId: string, lease: Lease): void {
    lease.asking = true;
    const { rate, burst } = bucketShape(lease.perSecond);
    // The braces keep both keys of a config on one node of a cluster.
    this.redis
      .eval(LEASE, 2, `${this.prefix}{${configId}}`, this.pauseKey(configId), rate, burst, mostLeased(lease.perSecond))
      .then((answer) => {
        const [given, wait, pausedMs] = answer as [number, number, number];
        const now = this.clock.now();
        if (pausedMs > 0) this.pauses.set(configId, now + pausedMs);
        lease.tokens += given;
        lease.expiresAt = now + LEASE_MS;
        lease.blockedUntil = given > 0 ? 0 : now + Math.max(1, wait);
      })
      .catch((error: unknown) => this.lost(error))
      .finally(() => {
        lease.asking = false;
      });
  }

  private pauseKey(configId: string): string {
    return `${this.prefix}{${configId}}:pause`;
  }

  private lost(error: unknown): void {
    const now = this.clock.now();
    if (now >= this.aloneUntil) this.logger.warn({ err: error }, 'shared rate limits are not reachable');
    this.aloneUntil = now + ALONE_MS;
  }
}

/** Tokens that are leased at a time. */
function mostLeased(perSecond: number): number {
  return Math.ceil(bucketShape(perSecond).burst / 2);
}
