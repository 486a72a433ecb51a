import type {
  SimulatedCallback,
  SimulatedDelivery,
  SimulatedEvent,
  SimulatedLife,
} from '../gateway/contracts/simulator';
import type { HttpClient } from '../platform/http-client/http-client';
import type { KeptMessage } from './message-ring';

/** What happens to a message, in order; a number is a pause in milliseconds. */
export type Script = ReadonlyArray<SimulatedEvent | number>;

export interface CallbackSenderOptions {
  /** Callbacks under way at once. */
  concurrency: number;
  /** Between a message's acceptance and its first callback, milliseconds. */
  delayMs: number;
}

/** Tries of one callback, and the pause after the first; each further one is twice as long. Twilio's `rc=5` makes six tries. */
const TRIES = 6;
const FIRST_RETRY_MS = 250;
const TIMEOUT_MS = 15_000;
/** Lives whose callbacks wait; over that, new ones make none. */
const MOST_WAITING = 50_000;

/** What UniMsg answered to a callback, or to what came over a connection. */
export interface SimulatedHandover {
  /** `POST`, `GET`, or the provider's own word for what went over its connection. */
  method: string;
  /** Null for what was no HTTP request. */
  url: string | null;
  /** Whether UniMsg has it. */
  accepted: boolean;
  /** Null when no answer came, or it was none of HTTP. */
  status: number | null;
  /** The first KiB. */
  body: string;
}

const KEPT_BODY = 1024;

/** Makes a callback once and answers what came of it. */
export async function handOver(
  http: HttpClient,
  callback: SimulatedCallback | SimulatedDelivery,
): Promise<SimulatedHandover> {
  if ('deliver' in callback) {
    const accepted = await callback.deliver();
    const body = accepted ? '' : 'UniMsg did not take it: it has no connection for this account, or does not answer.';
    return { method: callback.word, url: null, accepted, status: null, body };
  }
  const { url, method, headers, body } = callback;
  const request = { url, method, headers, timeoutMs: TIMEOUT_MS, maxBodyBytes: KEPT_BODY };
  try {
    const answer = await http.request(method === 'GET' ? request : { ...request, body });
    const accepted = answer.status >= 200 && answer.status < 300;
    return { method, url, accepted, status: answer.status, body: answer.body.toString('utf8') };
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'failed';
    return { method, url, accepted: false, status: null, body: `No answer: ${reason}` };
  }
}

interface Run {
  message: KeptMessage;
  life: SimulatedLife;
  script: Script;
  step: number;
  /** Callbacks of the step that are still to be made. */
  pending: Array<SimulatedCallback | SimulatedDelivery>;
  tries: number;
  done: () => void;
}

/**
 * Makes the callbacks of messages: those of one message one after the other, those of different messages side by side. A callback that is not
 * answered 2xx is tried again for some seconds, then given up.
 */
export class CallbackSender {
  readonly counts = { made: 0, failed: 0, dropped: 0 };
  private readonly queue: Run[] = [];
  private head = 0;
  private active = 0;
  private waiting = 0;
  private closed = false;

  constructor(
    private readonly http: HttpClient,
    private readonly options: CallbackSenderOptions,
  ) {}

  /** Messages whose callbacks are not over. */
  get unfinished(): number {
    return this.waiting;
  }

  /** Begins after the usual delay. */
  later(message: KeptMessage, life: SimulatedLife, script: Script): void {
    this.start(message, life, script, this.options.delayMs, () => undefined);
  }

  /** Begins at once; resolves when the last callback was answered or given up. */
  now(message: KeptMessage, life: SimulatedLife, script: Script): Promise<void> {
    return new Promise((done) => this.start(message, life, script, 0, done));
  }

  close(): void {
    this.closed = true;
    this.queue.length = 0;
  }

  private start(message: KeptMessage, life: SimulatedLife, script: Script, delayMs: number, done: () => void): void {
    if (this.waiting >= MOST_WAITING) {
      this.counts.dropped++;
      done();
      return;
    }
    this.waiting++;
    this.resumeAfter(delayMs, { message, life, script, step: 0, pending: [], tries: 0, done });
  }

  private resumeAfter(ms: number, run: Run): void {
    // Not referenced: a callback that waits is no reason to keep the process alive.
    setTimeout(() => this.enqueue(run), ms).unref();
  }

  private enqueue(run: Run): void {
    if (this.closed) return;
    if (this.active < this.options.concurrency) {
      this.active++;
      void this.work(run);
    } else {
      this.queue.push(run);
    }
  }

  private async work(first: Run): Promise<void> {
    for (let run: Run | undefined = first; run !== undefined; run = this.dequeue()) await this.advance(run);
    this.active--;
  }

  private dequeue(): Run | undefined {
    const run = this.queue[this.head++];
    if (this.head > 1024 && this.head * 2 > this.queue.length) {
      this.queue.splice(0, this.head);
      this.head = 0;
    }
    if (run === undefined) {
      this.queue.length = 0;
      this.head = 0;
    }
    return run;
  }

  /** Goes on until the end, a pause or a callback that has to be tried again. */
  private async advance(run: Run): Promise<void> {
    while (!this.closed) {
      const callback = run.pending[0];
      if (callback === undefined) {
        const step = run.script[run.step++];
        if (typeof step === 'number') return this.resumeAfter(step, run);
        if (step === undefined) break;
        run.pending = run.life.callbacks(step);
        run.tries = 0;
        continue;
      }
      if (await this.make(callback)) {
        run.message.callbacks.push(callback.word);
        this.counts.made++;
      } else if (++run.tries < TRIES) {
        return this.resumeAfter(FIRST_RETRY_MS * 2 ** (run.tries - 1), run);
      } else {
        this.counts.failed++;
      }
      run.pending.shift();
      run.tries = 0;
    }
    this.waiting--;
    run.done();
  }

  private async make(callback: SimulatedCallback | SimulatedDelivery): Promise<boolean> {
    return (await handOver(this.http, callback)).accepted;
  }
}
