import type { Clock } from '../../kernel/clock';
import { isDatabaseUnavailable } from '../database/database';
import {
  LaneLostError,
  type DeliveryAttempt,
  type DeliveryItem,
  type DeliveryResult,
  type FreshChunk,
  type LaneSource,
  type ReceiverHealth,
} from './delivery';
import type { Lane } from './lane.runner';
import { OrderedPool } from './ordered-pool';
import { retryDelay, type RetryLadder } from './retry-ladder';

/** How one kind of receiver is served. */
export interface LaneProfile {
  ladder: RetryLadder;
  /** First tries under way at once to one receiver. */
  firstTries: number;
  /** Retries under way at once to one receiver. */
  retries: number;
  /** Most items that are read at once; at most twice as many are in memory. */
  chunk: number;
  /** After so many failures without a success first tries go one at a time, with a growing pause between them. */
  failingAfter: number;
}

/** The longest pause between the first tries of a receiver that keeps failing. */
const LONGEST_PAUSE_MS = 1000;
const PAUSE_STEP_MS = 20;
/** The first read of a lane is small: most have little to do, and a process may hold many. */
const FIRST_CHUNK = 32;

/** Chunks get smaller when one takes longer than this, so that failures in it are written soon. */
const LONG_CHUNK_MS = 1000;

interface Chunk<Item extends DeliveryItem> {
  results: Array<DeliveryResult<Item>>;
  /** Keys of which an item did not get through; what follows them waits. */
  stuckKeys: Set<string>;
  done: Promise<void>;
}

/**
 * Serves one receiver while this process holds its lease: first tries in order of the source, and retries beside them. What is under way is
 * bounded: a chunk being posted, the one before it being written and the one after it being read.
 */
export class DeliveryLane<Item extends DeliveryItem, Position> implements Lane {
  private readonly firstPool: OrderedPool;
  /** Ends the wait for each try under way. An AbortSignal would cost a listener on each request. */
  private readonly inFlight = new Set<() => void>();
  private interrupted = false;
  private stopping = false;
  private lost = false;
  private ended = false;
  private freshRunning: Promise<void> | undefined;
  private dueRunning: Promise<void> | undefined;
  private freshWanted = false;
  private error: Error | undefined;
  private finished!: () => void;
  private readonly end = new Promise<void>((resolve) => (this.finished = resolve));
  private wakePause: (() => void) | undefined;
  /** Serialises writes: both loops change the receiver's row. */
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly source: LaneSource<Item, Position>,
    private readonly profile: LaneProfile,
    readonly health: ReceiverHealth,
    private readonly clock: Clock,
  ) {
    this.firstPool = new OrderedPool(() => (this.failing() ? 1 : profile.firstTries));
  }

  failing(): boolean {
    return this.health.failuresInRow >= this.profile.failingAfter;
  }

  async run(): Promise<void> {
    this.wake();
    await this.end;
    if (this.error !== undefined) throw this.error;
  }

  wake(): boolean {
    if (this.ended) return false;
    if (this.stopping) return true;
    if (this.freshRunning === undefined) this.startFresh();
    else this.freshWanted = true;
    this.wakeDue();
    return true;
  }

  stop(): void {
    this.stopping = true;
    this.wakePause?.();
    this.settleEnd();
  }

  /** Waits for what is under way no longer; it is written as due at once, so a receiver that did get it gets it again. */
  interrupt(): void {
    this.stop();
    this.interrupted = true;
    for (const leave of this.inFlight) leave();
    this.inFlight.clear();
  }

  lose(): void {
    this.lost = true;
    this.interrupt();
  }

  private startFresh(): void {
    this.freshRunning = this.loop(
      () => this.fresh(),
      () => {
        this.freshRunning = undefined;
        if (this.freshWanted && !this.stopping && this.source.enabled()) this.startFresh();
      },
    );
  }

  private wakeDue(): void {
    if (this.dueRunning !== undefined || this.stopping) return;
    const at = this.source.nextDueAt();
    if (at === null || at > this.clock.now()) return;
    this.dueRunning = this.loop(
      () => this.due(),
      () => (this.dueRunning = undefined),
    );
  }

  private async loop(work: () => Promise<void>, over: () => void): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.error ??= error instanceof Error ? error : new Error(String(error));
      if (error instanceof LaneLostError) this.lose();
      else this.stop();
    }
    over();
    this.settleEnd();
  }

  private settleEnd(): void {
    if (this.ended || this.freshRunning !== undefined || this.dueRunning !== undefined) return;
    this.ended = true;
    this.finished();
  }

  private async fresh(): Promise<void> {
    let limit = Math.min(FIRST_CHUNK, this.profile.chunk);
    let position: Position | null = null;
    let reading: Promise<FreshChunk<Item, Position>> | undefined;
    let before: ReadonlyArray<Chunk<Item>> = [];
    let written: Promise<number> = Promise.resolve(0);
    try {
      do {
        this.freshWanted = false;
        const read: FreshChunk<Item, Position> = await (reading ?? this.source.fresh(position, limit));
        reading = undefined;
        if (read.more) this.freshWanted = true;
        if (read.to !== read.from) {
          position = read.to;
          const chunk = this.post(read, before);
          const earlier = written;
          written = this.writeFresh(read, chunk, earlier);
          // It is awaited a round later; until then its failure must not count as unhandled.
          written.catch(() => undefined);
          // Read ahead while this one is posted. What is pending from two chunks back may not be in the database yet, hence `before`.
          if (read.more && !this.failing()) reading = this.source.fresh(position, limit);
          reading?.catch(() => undefined);
          before = [chunk, ...before.slice(0, 1)];
          await Promise.race([this.firstPool.hasRoom(), written]);
          // Nothing further is posted before the chunk before this one is written: two are the most that a crash repeats.
          const tookMs = await earlier;
          limit = tookMs > LONG_CHUNK_MS ? limit / 2 : limit * 2;
          limit = Math.min(Math.max(limit, FIRST_CHUNK), this.profile.chunk);
        }
        if (!this.freshWanted || this.failing()) await written;
        if (this.failing()) {
          // A failing receiver's tries are written one by one: the next may take long, and their retries must not wait for it.
          limit = 1;
          reading = undefined;
        }
        this.wakeDue();
      } while (this.freshWanted && !this.stopping && this.source.enabled());
    } finally {
      await written.catch(() => undefined);
    }
    await written;
  }

  /** Answers how long the chunk took. */
  private async writeFresh(
    read: FreshChunk<Item, Position>,
    chunk: Chunk<Item>,
    earlier: Promise<unknown>,
  ): Promise<number> {
    const startedAt = performance.now();
    await chunk.done;
    await earlier;
    await this.write(() => this.source.settleFresh(read, chunk.results, this.health));
    return performance.now() - startedAt;
  }

  private post(read: FreshChunk<Item, Position>, before: ReadonlyArray<Chunk<Item>>): Chunk<Item> {
    let finish!: () => void;
    const done = new Promise<void>((resolve) => (finish = resolve));
    const chunk: Chunk<Item> = { results: [], stuckKeys: new Set(), done };
    if (read.items.length === 0) finish();
    const alone = read.items.length === 1;
    for (const item of read.items) {
      const key = item.orderKey;
      this.firstPool.add(key, async () => {
        const stuck =
          key !== null &&
          (chunk.stuckKeys.has(key) || before.some((one) => one.stuckKeys.has(key)) || read.blockedKeys.has(key));
        const result: DeliveryResult<Item> = stuck ? { item, outcome: 'blocked' } : await this.firstTry(item, alone);
        if (key !== null && result.outcome !== 'succeeded') chunk.stuckKeys.add(key);
        if (chunk.results.push(result) === read.items.length) finish();
      });
    }
    return chunk;
  }

  private async firstTry(item: Item, alone: boolean): Promise<DeliveryResult<Item>> {
    if (this.failing() && !this.stopping) {
      // What was read before the receiver began to fail goes to the ladder untried, so that the chunk can be written.
      if (!alone) return this.postponed(item, retryDelay(this.profile.ladder, 1) ?? 0);
      await this.pause();
    }
    return this.attempt(item);
  }

  private postponed(item: Item, delay: number): DeliveryResult<Item> {
    return { item, outcome: 'pending', attempt: null, nextAttemptAt: this.clock.now() + delay };
  }

  private async attempt(item: Item): Promise<DeliveryResult<Item>> {
    if (this.stopping) return this.postponed(item, 0);
    const attempt = await this.send(item);
    if (attempt === null) return this.postponed(item, 0);
    if (attempt.error === undefined) {
      this.health.failuresInRow = 0;
      this.health.failingSince = null;
      return { item, outcome: 'succeeded', attempt };
    }
    return this.failed(item, attempt);
  }

  /** Null: interrupted. */
  private send(item: Item): Promise<DeliveryAttempt | null> {
    return new Promise((resolve, reject) => {
      const leave = () => resolve(null);
      this.inFlight.add(leave);
      this.source.send(item).then((attempt) => {
        this.inFlight.delete(leave);
        resolve(attempt);
      }, reject);
    });
  }

  private failed(item: Item, attempt: DeliveryAttempt): DeliveryResult<Item> {
    this.health.failuresInRow++;
    this.health.failingSince ??= attempt.at;
    const delay = retryDelay(this.profile.ladder, item.attempts + 1);
    if (delay === null) return { item, outcome: 'dead_letter', attempt };
    return { item, outcome: 'pending', attempt, nextAttemptAt: this.clock.now() + delay };
  }

  private async due(): Promise<void> {
    while (!this.stopping && this.source.enabled()) {
      const limit = this.failing() ? 2 : this.profile.retries;
      const items = await this.source.due(this.clock.now(), limit * 2);
      if (items.length === 0) return;
      const pool = new OrderedPool(() => limit);
      const results: Array<DeliveryResult<Item>> = [];
      await new Promise<void>((resolve) => {
        for (const item of items) {
          pool.add(item.orderKey, async () => {
            results.push(await this.attempt(item));
            if (results.length === items.length) resolve();
          });
        }
      });
      await this.write(() => this.source.settleDue(results, this.health));
    }
  }

  private async pause(): Promise<void> {
    const ms = Math.min(LONGEST_PAUSE_MS, PAUSE_STEP_MS * (this.health.failuresInRow - this.profile.failingAfter));
    if (ms <= 0) return;
    await this.sleep(ms);
  }

  private sleep(ms: number): Promise<void> {
    return new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wakePause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** While the database is away what was done waits to be written: dropping it would repeat every delivery of it. */
  private write(work: () => Promise<void>): Promise<void> {
    const turn = this.writing.then(async () => {
      for (let wait = 50; ; wait = Math.min(2000, wait * 2)) {
        if (this.lost) throw new LaneLostError();
        try {
          return await work();
        } catch (error) {
          if (!isDatabaseUnavailable(error) || this.interrupted) throw error;
          await new Promise<void>((resolve) => setTimeout(resolve, wait));
        }
      }
    });
    this.writing = turn.catch(() => undefined);
    return turn;
  }
}
