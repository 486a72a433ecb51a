import { silentLogger, type Logger } from './logger';

/**
 * Runs a piece of work again and again, never twice at once. A failure is logged and the next turn comes as planned.
 */
export class Periodic {
  private timer: NodeJS.Timeout | undefined;
  private turn: Promise<void> = Promise.resolve();
  private running = false;
  private again = false;
  private stopped = true;
  private ending = false;

  constructor(
    readonly name: string,
    private readonly everyMs: number,
    private readonly work: () => Promise<unknown>,
    private readonly logger: Logger = silentLogger,
  ) {}

  /** The first turn comes after one interval, or at once when `now` is set. */
  start(options: { now?: boolean } = {}): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.ending = false;
    if (options.now) this.wake();
    else this.schedule();
  }

  /** Runs a turn at once; when one is running, another follows it. */
  wake(): void {
    if (this.stopped) return;
    if (this.running) {
      this.again = true;
      return;
    }
    clearTimeout(this.timer);
    this.turn = this.run();
  }

  /** Whether the end was asked for: long work looks at it between its steps. False before the first start, so work can run by hand. */
  get stopping(): boolean {
    return this.ending;
  }

  /** No further turn begins; resolves when the running one has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.ending = true;
    clearTimeout(this.timer);
    await this.turn;
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.turn = this.run();
    }, this.everyMs);
    this.timer.unref();
  }

  private async run(): Promise<void> {
    this.running = true;
    do {
      this.again = false;
      try {
        await this.work();
      } catch (error) {
        this.logger.warn({ err: error, task: this.name }, 'periodic task failed');
      }
    } while (this.again && !this.stopped);
    this.running = false;
    this.schedule();
  }
}
