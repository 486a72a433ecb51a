import { Injectable } from '@nestjs/common';
import { MessageReader } from '../record/message-reader';
import { MessageSignal } from '../record/message-signal';

/** Another process may have written what is waited for, so all that wait are also looked at, this often. */
const LOOK_MS = 250;
/** Most requests of this process that wait at once. */
const MOST_WAITS = 1_000;

interface Wait {
  readonly clientId: string;
  readonly messageId: string;
  /** Whether nobody is there any more to be told. */
  readonly isGone: () => boolean;
  readonly end: (left: boolean) => void;
  readonly fail: (error: unknown) => void;
}

/** Requests that wait for their messages to leave `queued` and `sending`. However many there are, one statement looks at them all. */
@Injectable()
export class SendWaits {
  private readonly waits = new Set<Wait>();
  /** To be looked at without waiting for the next tick. */
  private readonly due = new Set<Wait>();
  private timer: NodeJS.Timeout | undefined;
  private isLooking = false;

  constructor(
    private readonly reader: MessageReader,
    private readonly signal: MessageSignal,
  ) {}

  /** False when so many wait that a request is better answered at once. */
  hasRoom(): boolean {
    return this.waits.size < MOST_WAITS;
  }

  /**
   * Whether the message leaves the queue within the time; false too once nobody is there any more.
   * @param isGone asked from time to time
   * @throws what keeps us from looking
   */
  async leftQueue(clientId: string, messageId: string, milliseconds: number, isGone: () => boolean): Promise<boolean> {
    let stop = () => {};
    try {
      return await new Promise<boolean>((resolve, reject) => {
        const wait: Wait = { clientId, messageId, isGone, end: resolve, fail: reject };
        const timer = setTimeout(() => resolve(false), milliseconds);
        let stopListening = () => {};
        const listen = () => {
          stopListening = this.signal.once(messageId, () => {
            listen();
            this.lookAt(wait);
          });
        };
        listen();
        stop = () => {
          clearTimeout(timer);
          stopListening();
          this.waits.delete(wait);
          this.due.delete(wait);
          if (this.waits.size === 0) clearInterval(this.timer);
        };
        this.waits.add(wait);
        if (this.waits.size === 1) this.timer = setInterval(() => this.tick(), LOOK_MS);
        this.lookAt(wait);
      });
    } finally {
      stop();
    }
  }

  private tick(): void {
    for (const wait of this.waits) {
      if (wait.isGone()) wait.end(false);
      else this.lookAt(wait);
    }
  }

  private lookAt(wait: Wait): void {
    this.due.add(wait);
    if (this.isLooking) return;
    this.isLooking = true;
    void this.look();
  }

  /** Does not throw. What becomes due while it looks is looked at with the next statement. */
  private async look(): Promise<void> {
    while (this.due.size > 0) {
      // Those of one turn of the event loop go together.
      await Promise.resolve();
      const some = [...this.due];
      this.due.clear();
      try {
        const left = await this.reader.leftQueue(some);
        for (const wait of some) if (left.has(wait.messageId)) wait.end(true);
      } catch (error) {
        for (const wait of some) wait.fail(error);
      }
    }
    this.isLooking = false;
  }
}
