/** How many items of a queue are under way at once. */
export interface Pace {
  /** Never more than so many. */
  most: number;
  /** As long as no more than so many wait, they go one after another, so that they arrive in order. */
  inOrder: number;
  /** Beyond that one for each so many that wait: a backlog goes faster. */
  perWaiting: number;
  /** An item that takes longer no longer keeps the next one waiting, milliseconds. */
  patienceMs: number;
}

/** Starts items in the order in which they were added. `run` never rejects. */
export class PacedQueue<Item> {
  private waiting: Item[] = [];
  private head = 0;
  private underWay = 0;
  private slow = 0;

  /** @param over called when an item is done and the next ones were started */
  constructor(
    private readonly pace: Pace,
    private readonly run: (item: Item) => Promise<void>,
    private readonly over: () => void,
  ) {}

  /** Items that were not started. */
  get size(): number {
    return this.waiting.length - this.head;
  }

  get running(): number {
    return this.underWay;
  }

  add(items: readonly Item[]): void {
    for (const item of items) this.waiting.push(item);
    this.fill();
  }

  /** Forgets what was not started. */
  clear(): void {
    this.waiting = [];
    this.head = 0;
  }

  private fill(): void {
    while (this.size > 0 && this.underWay < this.pace.most && this.underWay - this.slow < this.width()) {
      const item = this.waiting[this.head++]!;
      if (this.size === 0) this.clear();
      this.start(item);
    }
  }

  private width(): number {
    const { inOrder, perWaiting } = this.pace;
    return this.size <= inOrder ? 1 : Math.ceil(this.size / perWaiting);
  }

  private start(item: Item): void {
    this.underWay++;
    let isSlow = false;
    const patience = setTimeout(() => {
      isSlow = true;
      this.slow++;
      this.fill();
    }, this.pace.patienceMs).unref();
    void this.run(item).then(() => {
      clearTimeout(patience);
      this.underWay--;
      if (isSlow) this.slow--;
      this.fill();
      this.over();
    });
  }
}
