import { Injectable } from '@nestjs/common';
import type { ClaimedMessage } from '../record/message.types';

/** Messages kept; about 1.5 KB each. */
const MOST = 4_000;
/** One that was not claimed here by then was claimed elsewhere, or waits for long. */
const KEPT_MS = 30_000;

/**
 * Messages that this process has just stored, so that it need not read them back to send them. A hint only: whether such a message may be sent,
 * and whether it is still as it was stored, is what the claim of its queue row says.
 */
@Injectable()
export class FreshMessages {
  private readonly messages = new Map<string, { message: ClaimedMessage; at: number }>();
  /** Only a process that sends keeps what it stores. */
  enabled = false;

  /** Keeps a committed message; dropped while too many are kept, since the oldest are sent first. */
  keep(message: ClaimedMessage): void {
    const now = performance.now();
    if (this.messages.size >= MOST) {
      for (const [id, { at }] of this.messages) {
        if (now - at < KEPT_MS) break;
        this.messages.delete(id);
      }
      if (this.messages.size >= MOST) return;
    }
    this.messages.set(message.id, { message, at: now });
  }

  /** Takes a message out; undefined when it is not kept. */
  take(id: string): ClaimedMessage | undefined {
    const kept = this.messages.get(id);
    if (kept) this.messages.delete(id);
    return kept?.message;
  }
}
