import { newId } from '../../kernel/ids';
import type { Clock } from '../../kernel/clock';
import type { Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { LaneLostError } from './delivery';

/** Serves one receiver while this process holds its lease. */
export interface Lane {
  /** True while the receiver keeps failing. */
  failing(): boolean;
  /** Works until there is nothing to do or it is stopped. Rejects when it could not read or write. */
  run(): Promise<void>;
  /** There may be more to do. False: too late, it has ended. */
  wake(): boolean;
  /** Begins nothing more; what is under way is waited for and written. */
  stop(): void;
  /** Waits for what is under way no longer: it is left, or written, as due. */
  interrupt(): void;
  /** The lease is gone: nothing may be written any more. */
  lose(): void;
}

/** A lane that this process has leased. */
export interface LeasedLane {
  /** The receiver. */
  readonly id: string;
  /** Whose it is; {@link LaneRunner.wake} names lanes by it. */
  readonly group: string;
  readonly lane: Lane;
}

/** What to lease. */
export interface LeaseRequest {
  owner: string;
  ttlMs: number;
  /** For the due times of retries; leases themselves go by the database's clock, which all processes share. */
  now: number;
  /** Lanes that this process is serving already. */
  except: readonly string[];
  /** Only lanes of these groups; null: all. */
  groups: readonly string[] | null;
  /** Most lanes of receivers that do well, and of those that keep failing. */
  healthy: number;
  failing: number;
  /** Failures in a row that make a receiver a failing one. */
  failingAfter: number;
}

/** Who serves which receiver; kept in the database, so that processes share the receivers and take over from one that died. */
export interface LaneLeases {
  /** Takes lanes that have work and no living owner. Must cost little when there are none. */
  take(request: LeaseRequest): Promise<LeasedLane[]>;
  /** Answers those that are still the owner's. */
  renew(owner: string, ids: readonly string[], ttlMs: number): Promise<string[]>;
  release(owner: string, id: string): Promise<void>;
}

export interface LaneRunnerOptions {
  /** How often to look for work that nobody in this process told of. Default 400 ms. */
  pollMs?: number;
  /** After so long a process that stopped renewing has lost its lanes. Default 15 s. */
  leaseMs?: number;
  /** Receivers served at once. Default 256. */
  maxLanes?: number;
  /** Failing receivers served at once, beside the others so that they take no place of theirs. Default 64. */
  maxFailingLanes?: number;
}

interface Served {
  lane: Lane;
  group: string;
  over: Promise<void>;
  /** Was woken after it had ended, before its lease was released. */
  again: boolean;
}

/** Looks that follow a wake-up come at most this often. */
const WAKE_SPACING_MS = 15;

/**
 * Serves the receivers of one kind in this process: leases those that have work, runs a {@link Lane} each, renews, lets go.
 */
export class LaneRunner {
  readonly owner = newId('worker');
  private readonly lanes = new Map<string, Served>();
  private readonly poll: Periodic;
  private readonly renewal: Periodic;
  private readonly leaseMs: number;
  private readonly maxLanes: number;
  private readonly maxFailing: number;
  private readonly woken = new Set<string>();
  private looking: Promise<void> | undefined;
  private wakeTimer: NodeJS.Timeout | undefined;
  private lastLook = 0;
  private running = false;
  private away = false;

  constructor(
    private readonly leases: LaneLeases,
    /** Failures in a row that make a receiver a failing one. */
    private readonly failingAfter: number,
    private readonly clock: Clock,
    private readonly logger: Logger,
    options: LaneRunnerOptions = {},
  ) {
    this.leaseMs = options.leaseMs ?? 15_000;
    this.maxLanes = options.maxLanes ?? 256;
    this.maxFailing = options.maxFailingLanes ?? 64;
    this.poll = new Periodic('delivery lanes', options.pollMs ?? 400, () => this.lookAtAll(), logger);
    this.renewal = new Periodic('delivery leases', this.leaseMs / 3, () => this.renew(), logger);
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.poll.start({ now: true });
    this.renewal.start();
  }

  /** Receivers being served. */
  get size(): number {
    return this.lanes.size;
  }

  /** There may be work for these groups. */
  wake(groups: Iterable<string>): void {
    if (!this.running) return;
    for (const group of groups) this.woken.add(group);
    if (this.wakeTimer !== undefined) return;
    const wait = Math.max(0, this.lastLook + WAKE_SPACING_MS - performance.now());
    this.wakeTimer = setTimeout(() => {
      this.wakeTimer = undefined;
      void this.lookAtWoken();
    }, wait);
  }

  /**
   * Begins nothing more, waits for what is under way, breaks off what takes longer than the grace, writes all of it and releases the lanes.
   */
  async stop(graceMs = 3000): Promise<void> {
    if (!this.running) return;
    this.running = false;
    clearTimeout(this.wakeTimer);
    this.wakeTimer = undefined;
    await this.poll.stop();
    await this.looking;
    const all = [...this.lanes.values()];
    for (const { lane } of all) lane.stop();
    const breakOff = setTimeout(() => {
      for (const { lane } of all) lane.interrupt();
    }, graceMs);
    await Promise.all(all.map(({ over }) => over));
    clearTimeout(breakOff);
    await this.renewal.stop();
  }

  private async lookAtAll(): Promise<void> {
    for (const served of this.lanes.values()) if (!served.lane.wake()) served.again = true;
    await this.look(null);
  }

  private async lookAtWoken(): Promise<void> {
    const groups = new Set(this.woken);
    this.woken.clear();
    for (const served of this.lanes.values()) {
      if (groups.has(served.group) && !served.lane.wake()) served.again = true;
    }
    if (groups.size > 0) await this.look([...groups]);
  }

  private async look(groups: string[] | null): Promise<void> {
    while (this.looking !== undefined) await this.looking;
    if (!this.running) return;
    this.looking = this.take(groups).finally(() => (this.looking = undefined));
    await this.looking;
  }

  private async take(groups: string[] | null): Promise<void> {
    this.lastLook = performance.now();
    let failing = 0;
    for (const { lane } of this.lanes.values()) if (lane.failing()) failing++;
    const healthy = this.lanes.size - failing;
    try {
      const taken = await this.leases.take({
        owner: this.owner,
        ttlMs: this.leaseMs,
        now: this.clock.now(),
        except: [...this.lanes.keys()],
        groups,
        healthy: Math.max(0, this.maxLanes - healthy),
        failing: Math.max(0, this.maxFailing - failing),
        failingAfter: this.failingAfter,
      });
      this.away = false;
      for (const lane of taken) this.serve(lane);
    } catch (error) {
      // Told once: this comes back every poll until the database does.
      if (!this.away) this.logger.warn({ err: error }, 'no delivery lanes can be leased');
      this.away = true;
    }
  }

  private serve(leased: LeasedLane): void {
    const served: Served = { lane: leased.lane, group: leased.group, over: Promise.resolve(), again: false };
    this.lanes.set(leased.id, served);
    served.over = this.run(leased, served);
  }

  private async run(leased: LeasedLane, served: Served): Promise<void> {
    let broken = false;
    try {
      await served.lane.run();
    } catch (error) {
      broken = true;
      if (error instanceof LaneLostError) this.logger.info({ lane: leased.id }, 'delivery lane was taken over');
      else this.logger.warn({ err: error, lane: leased.id }, 'delivery lane broke off');
    }
    // A failed release is made good by the next look, which takes back what is still in this owner's name.
    await this.leases.release(this.owner, leased.id).catch(() => undefined);
    this.lanes.delete(leased.id);
    // A broken one waits for the next poll: it may break at once again.
    if (served.again && !broken) this.wake([served.group]);
  }

  private async renew(): Promise<void> {
    const ids = [...this.lanes.keys()];
    if (ids.length === 0) return;
    const kept = new Set(await this.leases.renew(this.owner, ids, this.leaseMs));
    for (const id of ids) if (!kept.has(id)) this.lanes.get(id)?.lane.lose();
  }
}
