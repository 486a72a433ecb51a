interface Task {
  key: string | null;
  run: () => Promise<void>;
}

/**
 * Runs tasks with a cap that may change at any time; tasks of one key run one after another in the order in which they were added.
 * A task that rejects is done all the same: what it was to do is for who added it to notice.
 */
export class OrderedPool {
  /** Tasks that could run if there were room. */
  private ready: Task[] = [];
  private head = 0;
  /** By key under way: the tasks that wait for it. */
  private readonly keys = new Map<string, Task[]>();
  private running = 0;
  private onEmpty: Array<() => void> = [];

  constructor(private readonly limit: () => number) {}

  add(key: string | null, run: () => Promise<void>): void {
    const task = { key, run };
    if (key !== null) {
      const behind = this.keys.get(key);
      if (behind !== undefined) {
        behind.push(task);
        return;
      }
      this.keys.set(key, []);
    }
    this.ready.push(task);
    this.fill();
  }

  /** Resolves when every task that could run is running or done: time to bring more. */
  async hasRoom(): Promise<void> {
    if (this.head < this.ready.length) await new Promise<void>((resolve) => this.onEmpty.push(resolve));
  }

  private fill(): void {
    while (this.head < this.ready.length && this.running < this.limit()) {
      const task = this.ready[this.head++]!;
      this.running++;
      const over = (): void => this.done(task);
      void task.run().then(over, over);
    }
    if (this.head < this.ready.length) return;
    this.ready = [];
    this.head = 0;
    for (const resolve of this.onEmpty.splice(0)) resolve();
  }

  private done(task: Task): void {
    this.running--;
    if (task.key !== null) {
      const behind = this.keys.get(task.key)!;
      const next = behind.shift();
      if (next === undefined) this.keys.delete(task.key);
      else this.ready.push(next);
    }
    this.fill();
  }
}
