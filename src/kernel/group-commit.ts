/**
 * Runs many small jobs as few large ones: items that arrive while a flush is in flight are flushed together by the next one. No timer:
 * the flush in flight is the batching window, so a lone item waits for nothing but its own flush.
 *
 * `flush` answers one result per item, in order; an Error among them rejects its item alone. When it throws, every item of that batch is
 * rejected with the error.
 */
export class GroupCommit<Item, Result> {
  private waiting: Array<{ item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }> = [];
  private running = 0;
  private idle: Array<() => void> = [];

  /**
   * @param flush writes a batch, answers results in the same order
   * @param maxBatch most items in one flush
   * @param maxWaiting most items that may wait; over that `add` rejects with `overflow()` (back pressure, not memory growth)
   */
  constructor(
    private readonly flush: (items: Item[]) => Promise<Array<Result | Error>>,
    private readonly maxBatch: number,
    private readonly maxWaiting = Number.POSITIVE_INFINITY,
    private readonly overflow: () => Error = () => new Error('too many items wait for a flush'),
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
      if (this.running === 0) {
        this.running = 1;
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
      const batch = this.waiting.splice(0, this.maxBatch);
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
    }
    this.running = 0;
    for (const resolve of this.idle.splice(0)) resolve();
  }
}
