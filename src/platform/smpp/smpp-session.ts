import type net from 'node:net';
import {
  SmppBindRefused,
  SmppLink,
  type SmppLinkOptions,
  SmppLost,
  type SmppBindMode,
  type SmppResponse,
} from './smpp-link';
import { SMPP_STATUS, type SmppBind } from './smpp-pdu';

export interface SmppSessionOptions {
  /** Opens a connection; nothing was written to it. */
  dial: (signal: AbortSignal) => Promise<net.Socket>;
  bind: SmppBind;
  /** Over one connection that does both, or over one for each direction. */
  mode: 'transceiver' | 'transmitter+receiver';
  link: Omit<SmppLinkOptions, 'bind' | 'onMessage'>;
  /** Most `submit_sm` a second; null: no limit. */
  perSecond: number | null;
  onMessage: SmppLinkOptions['onMessage'];
  /** First pause after a failed bind, and the longest, milliseconds. Each is twice the one before. */
  backoff?: { firstMs: number; longestMs: number };
  /** In [0, 1); the share of a pause that is left to chance. */
  random?: () => number;
}

/** Why there is no bind: an Error of the network or of TLS, {@link SmppBindRefused} or {@link SmppLost}. */
export type SmppBindFailure = Error;

/** For the good-bye of a bind that was made while the session was being closed. */
const UNBIND_MS = 500;
const BACKOFF = { firstMs: 1_000, longestMs: 60_000 };
/** A link that lasted so long was a good one, and its end is no failure to bind. */
const SETTLED_MS = 5_000;

const REFUSED_FOR_GOOD: ReadonlySet<number> = new Set([
  SMPP_STATUS.bindFailed,
  SMPP_STATUS.wrongPassword,
  SMPP_STATUS.wrongSystemId,
]);

/** One direction of a session, or both: a link that is made again when it ends. */
class BoundLink {
  link: SmppLink | undefined;
  failure: SmppBindFailure | undefined;
  /** Until the link is there, or the attempt that is under way has failed. */
  attempt: Promise<void> | undefined;
  retry: NodeJS.Timeout | undefined;
  failures = 0;

  constructor(readonly mode: SmppBindMode) {}
}

/** The binds of one account, kept up until it is closed: what ends is made again, sooner at first and then with growing, jittered pauses. */
export class SmppSession {
  private readonly links: BoundLink[];
  private readonly abort = new AbortController();
  private closed = false;
  private nextSubmitAt = 0;

  constructor(private readonly options: SmppSessionOptions) {
    const modes: SmppBindMode[] = options.mode === 'transceiver' ? ['transceiver'] : ['transmitter', 'receiver'];
    this.links = modes.map((mode) => new BoundLink(mode));
    for (const bound of this.links) this.connect(bound);
  }

  /** Whether every bind is there. */
  get isBound(): boolean {
    return this.links.every(({ link }) => link?.usable === true);
  }

  /**
   * Resolves once every bind is there.
   * @throws why the last attempt failed, when that is known before the time is over
   */
  async bound(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    for (const bound of this.links) await this.linkOf(bound, timeoutMs, signal);
  }

  /** The link that sends. @throws as {@link bound} */
  async sender(timeoutMs: number, signal?: AbortSignal): Promise<SmppLink> {
    const bound = this.links[0]!;
    const { link } = bound;
    return link?.usable ? link : this.linkOf(bound, timeoutMs, signal);
  }

  /** Waits for the rate, then as {@link SmppLink.windowed}. */
  async submit(
    link: SmppLink,
    command: number,
    body: Buffer,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<SmppResponse> {
    const wait = this.paceMs();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    return link.windowed(command, body, timeoutMs, signal);
  }

  /** Takes nothing more, lets what is under way finish for a while, and unbinds. */
  async close(graceMs: number): Promise<void> {
    this.closed = true;
    for (const { retry } of this.links) clearTimeout(retry);
    this.abort.abort();
    await Promise.all(this.links.map(async ({ link }) => link?.close(graceMs)));
    // A connection that was just being made ends too.
    await Promise.all(this.links.map(async ({ attempt }) => attempt));
  }

  private paceMs(): number {
    const { perSecond } = this.options;
    if (perSecond === null) return 0;
    const step = 1000 / perSecond;
    const burst = Math.max(1, Math.floor(perSecond / 20));
    const now = performance.now();
    const at = Math.max(this.nextSubmitAt, now - (burst - 1) * step);
    this.nextSubmitAt = at + step;
    return Math.max(0, at - now);
  }

  private async linkOf(bound: BoundLink, timeoutMs: number, signal?: AbortSignal): Promise<SmppLink> {
    if (!bound.link?.usable && bound.attempt) {
      const gaveUp = await within(bound.attempt, timeoutMs, signal);
      if (gaveUp) throw new SmppLost(gaveUp, false);
    }
    if (bound.link?.usable) return bound.link;
    throw bound.failure ?? new SmppLost('no_connection', false);
  }

  private connect(bound: BoundLink): void {
    if (this.closed || bound.attempt) return;
    bound.attempt = this.bindOnce(bound).finally(() => {
      bound.attempt = undefined;
      if (!bound.link) this.connectLater(bound);
    });
  }

  private async bindOnce(bound: BoundLink): Promise<void> {
    const { dial, bind, link: options, onMessage } = this.options;
    try {
      const socket = await dial(this.abort.signal);
      const link = await SmppLink.bind(
        socket,
        { ...options, bind: { ...bind, mode: bound.mode }, onMessage },
        this.abort.signal,
      );
      if (this.closed) return await link.close(UNBIND_MS);
      const since = performance.now();
      bound.link = link;
      bound.failure = undefined;
      void link.ended.then((reason) => {
        bound.link = undefined;
        bound.failure = new SmppLost(reason, false);
        if (performance.now() - since >= SETTLED_MS) bound.failures = 0;
        this.connectLater(bound);
      });
    } catch (error) {
      bound.failure = error as Error;
    }
  }

  private connectLater(bound: BoundLink): void {
    if (this.closed || bound.retry || bound.attempt) return;
    const { firstMs, longestMs } = this.options.backoff ?? BACKOFF;
    // The SMSC knows who we are and does not want us: asking often would only lock the account.
    const refused = bound.failure instanceof SmppBindRefused && REFUSED_FOR_GOOD.has(bound.failure.status);
    const most = refused ? longestMs : Math.min(longestMs, firstMs * 2 ** bound.failures);
    bound.failures++;
    const pause = most * (0.5 + 0.5 * (this.options.random ?? Math.random)());
    bound.retry = setTimeout(() => {
      bound.retry = undefined;
      this.connect(bound);
    }, pause);
    bound.retry.unref();
  }
}

/** Ends early when the time is over or the caller gives up; the work goes on. Answers why it ended early. */
async function within(
  work: Promise<void>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<'timeout' | 'aborted' | undefined> {
  if (signal?.aborted) return 'aborted';
  let settle!: () => void;
  const given = new Promise<'timeout' | 'aborted'>((resolve) => {
    const timer = setTimeout(() => resolve('timeout'), timeoutMs);
    const aborted = (): void => resolve('aborted');
    signal?.addEventListener('abort', aborted);
    settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    };
  });
  const result = await Promise.race([work.then(() => undefined), given]);
  settle();
  return result;
}
