import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CLOCK, type Clock } from '../kernel/clock';
import { TokenBucket } from '../kernel/token-bucket';

/** Wrong keys a second and address, and how many at once. A client with an old key in ten processes stays below. */
const PER_SECOND = 10;
const BURST = 100;
const MOST_ADDRESSES = 10_000;

/** Slows down who tries keys. It looks at addresses that were wrong before; a key that is known to be right is never held up. */
@Injectable()
export class WrongKeyThrottle {
  private readonly buckets = new LRUCache<string, TokenBucket>({ max: MOST_ADDRESSES });

  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  /** Milliseconds until this address may try another key; 0: now. */
  waitMs(address: string | undefined): number {
    return this.buckets.get(group(address))?.waitMs() ?? 0;
  }

  wrong(address: string | undefined): void {
    const key = group(address);
    let bucket = this.buckets.get(key);
    if (bucket === undefined) this.buckets.set(key, (bucket = new TokenBucket(PER_SECOND, BURST, this.clock)));
    bucket.take();
  }
}

/** One customer has a whole /64 of IPv6. */
function group(address = ''): string {
  return address.includes(':') && !address.startsWith('::ffff:') ? address.split(':', 4).join(':') : address;
}
