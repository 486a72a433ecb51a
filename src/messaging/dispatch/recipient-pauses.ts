import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kernel/clock';

/** More recipients than this are not in a pause at once; the one looked at longest ago is asked again. */
const MOST_KEPT = 50_000;

/**
 * Recipients to whom a config may send nothing for a while, because their provider throttles each for itself. Some providers do not say whether
 * they mean the recipient or the whole account (Telegram): two recipients in a row, without a success in between, are taken for the account.
 */
export class RecipientPauses {
  private readonly until = new LRUCache<string, number>({ max: MOST_KEPT });
  /** By config, the recipient that was throttled since the last success. */
  private readonly last = new Map<string, string>();

  constructor(private readonly clock: Clock) {}

  /** Milliseconds since the epoch; 0 when there is no pause. */
  pausedUntil(configId: string, recipient: string): number {
    if (this.until.size === 0) return 0;
    const until = this.until.get(keyOf(configId, recipient)) ?? 0;
    return until > this.clock.now() ? until : 0;
  }

  /** Notes a pause. Answers whether the whole account is to pause too. */
  throttled(configId: string, recipient: string, untilMs: number): boolean {
    const key = keyOf(configId, recipient);
    if (untilMs > (this.until.get(key) ?? 0)) this.until.set(key, untilMs);
    const last = this.last.get(configId);
    this.last.set(configId, recipient);
    return last !== undefined && last !== recipient;
  }

  /** The account is not too fast as a whole. */
  succeeded(configId: string): void {
    if (this.last.size > 0) this.last.delete(configId);
  }
}

function keyOf(configId: string, recipient: string): string {
  return `${configId} ${recipient}`;
}
