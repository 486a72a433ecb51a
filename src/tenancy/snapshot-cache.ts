import { LRUCache } from 'lru-cache';
import type { Clock } from '../kernel/clock';

interface Kept<V> {
  value: V;
  freshUntil: number;
}

/**
 * Keeps what was read of the database for some seconds. One load at a time a key; what was loaded while something was forgotten is handed
 * to those who asked for it, and not kept, since it may be older than the change.
 */
export class SnapshotCache<V extends object> {
  private readonly kept: LRUCache<string, Kept<V>>;
  private readonly loading = new Map<string, Promise<V | undefined>>();
  private changes = 0;

  constructor(
    private readonly options: {
      max: number;
      keepMs: number;
      clock: Clock;
      load: (key: string) => Promise<V | undefined>;
    },
  ) {
    this.kept = new LRUCache({ max: options.max });
  }

  /** What is kept and fresh; never waits. */
  peek(key: string): V | undefined {
    const entry = this.kept.get(key);
    return entry !== undefined && entry.freshUntil > this.options.clock.now() ? entry.value : undefined;
  }

  /** True when the key was known a while ago, fresh or not. */
  has(key: string): boolean {
    return this.kept.has(key);
  }

  /** Undefined when there is no such thing; that is not kept. */
  async get(key: string): Promise<V | undefined> {
    const fresh = this.peek(key);
    if (fresh !== undefined) return fresh;
    const running = this.loading.get(key);
    if (running !== undefined) return running;
    const load = this.load(key);
    this.loading.set(key, load);
    try {
      return await load;
    } finally {
      if (this.loading.get(key) === load) this.loading.delete(key);
    }
  }

  /** Drops what fits; loads under way are not kept, and later callers do not join them. */
  forget(fits: (value: V, key: string) => boolean): void {
    this.changes++;
    this.loading.clear();
    for (const [key, entry] of this.kept.entries()) if (fits(entry.value, key)) this.kept.delete(key);
  }

  clear(): void {
    this.forget(() => true);
  }

  private async load(key: string): Promise<V | undefined> {
    const { changes } = this;
    const value = await this.options.load(key);
    if (this.changes !== changes) return value;
    if (value === undefined) this.kept.delete(key);
    else this.kept.set(key, { value, freshUntil: this.options.clock.now() + this.options.keepMs });
    return value;
  }
}
