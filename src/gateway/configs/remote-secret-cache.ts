import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kernel/clock';
import type { Secret } from '../../kernel/secret';
import { SecretSourceUnavailable } from './secret-sources';

/** Several fields and configs that name one secret share one read. */
const FRESH_MS = 10_000;
/** How long a value that was read bridges an outage of its store. */
const BRIDGE_MS = 60 * 60_000;
const MOST_KEPT = 5_000;

interface Kept<T> {
  value: Secret<T>;
  readAt: number;
  /** When it was read, or the store was found away. */
  askedAt: number;
}

/**
 * Keeps what was read from a secret store over the network. A value is read again after 10 s; while the store is away the last one is used
 * for up to an hour, and the store is asked again every 10 s. A store that answers, be it with a refusal, is always believed at once.
 */
export class RemoteSecretCache<T = string> {
  private readonly kept = new LRUCache<string, Kept<T>>({ max: MOST_KEPT });
  private readonly reading = new Map<string, Promise<Secret<T>>>();

  constructor(private readonly clock: Clock) {}

  /**
   * @param key what the store is asked for
   * @param load reads it from the store
   * @throws SecretNotReadable as `load` does
   */
  async read(key: string, load: () => Promise<Secret<T>>): Promise<Secret<T>> {
    const kept = this.kept.get(key);
    if (kept && this.clock.now() - kept.askedAt < FRESH_MS) return kept.value;
    return this.reading.get(key) ?? this.load(key, load);
  }

  private load(key: string, load: () => Promise<Secret<T>>): Promise<Secret<T>> {
    const reading = this.loadOnce(key, load).finally(() => this.reading.delete(key));
    this.reading.set(key, reading);
    return reading;
  }

  private async loadOnce(key: string, load: () => Promise<Secret<T>>): Promise<Secret<T>> {
    try {
      const value = await load();
      const now = this.clock.now();
      this.kept.set(key, { value, readAt: now, askedAt: now });
      return value;
    } catch (error) {
      const kept = this.kept.get(key);
      if (!(error instanceof SecretSourceUnavailable)) this.kept.delete(key);
      else if (kept && this.clock.now() - kept.readAt < BRIDGE_MS) {
        kept.askedAt = this.clock.now();
        return kept.value;
      }
      throw error;
    }
  }
}
