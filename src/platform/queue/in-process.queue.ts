import type { Logger } from '../../kernel/logger';
import type { JobQueue } from './job-queue';

/** The driver for one process: a payload reaches the consumer in the next turn of the event loop. */
export class InProcessQueue<Payload> implements JobQueue<Payload> {
  readonly driver = 'in-process';
  private handler: ((payload: Payload) => void) | undefined;
  private waitingPayloads: Payload[] = [];
  private droppedPayloads = 0;
  private closed = false;

  /** @param maxWaiting payloads kept while nobody consumes; more are dropped, since PostgreSQL has the work anyway */
  constructor(
    private readonly logger: Logger,
    private readonly maxWaiting = 10_000,
  ) {}

  publish(payload: Payload): void {
    if (this.closed || this.waitingPayloads.length >= this.maxWaiting) {
      this.droppedPayloads += 1;
      return;
    }
    this.waitingPayloads.push(payload);
    if (this.waitingPayloads.length === 1) setImmediate(() => this.flush());
  }

  consume(handler: (payload: Payload) => void): void {
    if (this.handler) throw new Error('The queue has a consumer already');
    this.handler = handler;
    this.flush();
  }

  waiting(): Promise<number> {
    return Promise.resolve(this.waitingPayloads.length);
  }

  dropped(): number {
    return this.droppedPayloads;
  }

  close(): Promise<void> {
    this.closed = true;
    this.waitingPayloads = [];
    return Promise.resolve();
  }

  private flush(): void {
    if (!this.handler) return;
    for (const payload of this.waitingPayloads.splice(0)) {
      try {
        this.handler(payload);
      } catch (error) {
        this.logger.error({ err: error }, 'hint refused by its consumer');
      }
    }
  }
}
