/** A flush of this many items is worth its fixed cost; nothing is waited for then. */
const ENOUGH = 48;
/** So many items in the flush before say that more are coming. */
const BUSY = 3;
/** What was so long ago says nothing about now, milliseconds. */
const LULL_MS = 20;

/**
 * Runs many small jobs as few large ones: items that arrive while a flush is in flight are flushed together by the next one. A lone item waits
 * for nothing but its own flush.
 *
 * Each flush has a fixed cost (a round trip, a sync of the log), so between "one at a time" and "as fast as it goes" small flushes are the dear ones.
 * With `lingerMs`, a flush that follows on a busy one waits that long for company when it has little.
 *
 * `flush` answers one result per item, in order; an Error among them rejects its item alone. When it throws, every item of that batch is
 * rejected with the error.
 */
export class GroupCommit<Item, Result> {
  private waiting: Array<{ item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }> = [];
  private running = 0;
  private idle: Array<() => void> = [];
  private lastSize = 0;
  private lastEnd = 0;

  /**
   * @param flush writes a batch, answers results in the same order
   * @param maxBatch most items in one flush
   * @param lingerMs longest wait for company while busy; 0: none
   * @param parallel flushes in flight at once; a further one begins only with items enough to be worth it
   * @param maxWaiting most items that may wait; over that `add` rejects with `overflow()` (back pressure, not memory growth)
   * @param weigh bounds a batch by what its items weigh too; a single item may be heavier
   */
  constructor(
    private readonly flush: (items: Item[]) => Promise<Array<Result | Error>>,
    private readonly maxBatch: number,
    private readonly lingerMs = 0,
    private readonly parallel = 1,
    private readonly maxWaiting = Number.POSITIVE_INFINITY,
    private readonly overflow: () => Error = () => new Error('too many items wait for a flush'),
    private readonly weigh?: { of: (item: Item) => number; most: number },
  ) {}

  /** Items that wait for the flush in flight to end. */
  get size(): number {
    return this.waiting.length;
  }

  add(item: Item): Promise<Result> {
    if (this.waiting.length >= this.maxWaiting) return Promise.reject(this.overflow());
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      // setImmediate, not a timer: everything that the event loop has already read from its sockets joins the same flush.
      if (this.running === 0 || (this.running < this.parallel && this.waiting.length >= ENOUGH)) {
        this.running += 1;
        setImmediate(() => void this.run());
      }
    });
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async drain(): Promise<void> {
    if (this.running === 0) return;
    await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      if (this.hasReasonToLinger()) await new Promise((resolve) => setTimeout(resolve, this.lingerMs));
      const batch = this.waiting.splice(0, this.batchSize());
      try {
        const results = await this.flush(batch.map((entry) => entry.item));
        for (let i = 0; i < batch.length; i++) {
          const result = results[i]!;
          if (result instanceof Error) batch[i]!.reject(result);
          else batch[i]!.resolve(result);
        }
      } catch (error) {
        for (const entry of batch) entry.reject(error);
      }
      this.lastSize = batch.length;
      this.lastEnd = performance.now();
    }
    this.running -= 1;
    if (this.running > 0) return;
    for (const resolve of this.idle.splice(0)) resolve();
  }

  private batchSize(): number {
    if (!this.weigh) return this.maxBatch;
    const { of, most } = this.weigh;
    const last = Math.min(this.maxBatch, this.waiting.length);
    let size = 0;
    for (let weight = 0; size < last; size++) {
      weight += of(this.waiting[size]!.item);
      if (weight > most && size > 0) break;
    }
    return size;
  }

  private hasReasonToLinger(): boolean {
    if (this.lingerMs === 0 || this.waiting.length >= ENOUGH || this.lastSize < BUSY) return false;
    return performance.now() - this.lastEnd < LULL_MS;
  }
}
