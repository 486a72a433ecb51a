import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CLOCK, type Clock } from '../kernel/clock';
import { TokenBucket } from '../kernel/token-bucket';

/** Wrong keys a second and address, and how many at once. A client with an old key in ten processes stays below. */
export const WRONG_KEYS_PER_SECOND = 10;
const BURST = 100;
const MOST_ADDRESSES = 10_000;
/** How many wrong keys are remembered. */
const MOST_COUNTED = 5_000;
/** Look-ups under way at once for addresses that try keys. */
const MOST_LOOK_UPS = 4;

/** Slows down who tries keys: wrong keys are counted by address. A key that is right is never refused for those of others. */
@Injectable()
export class WrongKeyThrottle {
  private readonly counted = new LRUCache<string, true>({ max: MOST_COUNTED });
  private lookUps = 0;
  private readonly waiting: Array<() => void> = [];
  private readonly buckets = new LRUCache<string, TokenBucket>({ max: MOST_ADDRESSES });

  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  /** Milliseconds until this address may try another key; 0: now. */
  waitMs(address: string | undefined): number {
    return this.buckets.get(group(address))?.waitMs() ?? 0;
  }

  /** Looks up a key for an address that may try none at the moment. It may be right all the same, so it is looked up; few at a time. */
  async inTurn<T>(lookUp: () => Promise<T>): Promise<T> {
    if (this.lookUps < MOST_LOOK_UPS) this.lookUps++;
    else await new Promise<void>((go) => this.waiting.push(go));
    try {
      return await lookUp();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.lookUps--;
    }
  }

  /**
   * Counts a wrong key for its address. One that was counted before is not counted again: who goes on with it learns nothing.
   * @param hash of the key
   * @returns 0 when it is counted, else milliseconds until the address may try another key
   */
  wrong(address: string | undefined, hash: string): number {
    if (this.counted.has(hash)) return 0;
    const key = group(address);
    let bucket = this.buckets.get(key);
    if (bucket === undefined)
      this.buckets.set(key, (bucket = new TokenBucket(WRONG_KEYS_PER_SECOND, BURST, this.clock)));
    if (!bucket.take()) return Math.max(1, bucket.waitMs());
    this.counted.set(hash, true);
    return 0;
  }
}

/** One customer has a whole /64 of IPv6. */
function group(address = ''): string {
  return address.includes(':') && !address.startsWith('::ffff:') ? address.split(':', 4).join(':') : address;
}
