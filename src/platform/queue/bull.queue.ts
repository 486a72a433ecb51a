import type { Queue } from 'bull';
import type { Logger } from '../../kernel/logger';
import type { JobQueue } from './job-queue';

/** Payloads handed to Redis that it has not confirmed. */
const MOST_UNANSWERED = 200;

/** What a job of the queue holds. A job that Bull hands out and that is not there any more (see {@link BullQueue.consume}) has no payload. */
export interface BullJob<Payload> {
  payload?: Payload;
}

/** The driver for several processes and machines. One Bull job carries one payload. */
export class BullQueue<Payload> implements JobQueue<Payload> {
  readonly driver = 'bull';
  private consumer: { handler: (payload: Payload) => void; wantsOwn: (payload: Payload) => boolean } | undefined;
  private droppedPayloads = 0;
  private unanswered = 0;
  private closed = false;

  constructor(
    private readonly queue: Queue<BullJob<Payload>>,
    private readonly logger: Logger,
  ) {
    // Without a listener a lost connection would end the process. ioredis reconnects by itself.
    queue.on('error', (error) => this.logger.warn({ err: error }, 'queue connection'));
  }

  publish(payload: Payload): void {
    // Redis is for sharing: while there is room here, the way there and back would only cost.
    if (!this.closed && this.consumer?.wantsOwn(payload)) {
      setImmediate(() => this.hand(payload));
      return;
    }
    // ioredis would keep commands while Redis is away or hangs, without bound, and send them all later. PostgreSQL has the work already.
    if (this.closed || this.queue.client.status !== 'ready' || this.unanswered >= MOST_UNANSWERED) {
      this.droppedPayloads += 1;
      return;
    }
    this.unanswered += 1;
    this.queue
      .add({ payload }, { removeOnComplete: true, removeOnFail: true, attempts: 1 })
      .catch((error: unknown) => {
        this.droppedPayloads += 1;
        this.logger.debug({ err: error }, 'hint not published');
      })
      .finally(() => (this.unanswered -= 1));
  }

  consume(handler: (payload: Payload) => void, wantsOwn: (payload: Payload) => boolean = () => false): void {
    this.consumer = { handler, wantsOwn };
    const consumed = this.queue.process(1, (job) => {
      // A process that was frozen gets the id of a job that another one took over, did and deleted meanwhile.
      if (job.data.payload !== undefined) this.hand(job.data.payload);
      return Promise.resolve();
    });
    // Bull's promise settles only when the queue closes; with an error when Redis was never there.
    consumed.catch((error: unknown) => {
      if (!this.closed) this.logger.error({ err: error }, 'hints are not consumed any more');
    });
  }

  private hand(payload: Payload): void {
    try {
      this.consumer!.handler(payload);
    } catch (error) {
      this.logger.error({ err: error }, 'hint refused by its consumer');
    }
  }

  async waiting(): Promise<number | null> {
    if (this.queue.client.status !== 'ready') return null;
    const counts = await this.queue.getJobCounts();
    return counts.waiting + counts.active;
  }

  dropped(): number {
    return this.droppedPayloads;
  }

  async close(): Promise<void> {
    this.closed = true;
    // `true`: does not wait for running jobs, which are quick hand-overs, nor for a Redis that is away.
    await this.queue.close(true).catch((error: unknown) => this.logger.debug({ err: error }, 'queue close'));
  }
}
