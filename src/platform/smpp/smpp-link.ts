import type net from 'node:net';
import {
  BodyReader,
  encodeBind,
  encodePdu,
  GENERIC_NACK,
  isResponse,
  PduReader,
  responseTo,
  SMPP_COMMANDS,
  SMPP_STATUS,
  type SmppBind,
  SmppFormatError,
  type SmppPdu,
} from './smpp-pdu';

export type SmppBindMode = 'transceiver' | 'transmitter' | 'receiver';

/** A response: its status, and its body. */
export interface SmppResponse {
  status: number;
  body: Buffer;
}

/** Why a request has no response. */
export type SmppLostReason = 'reset' | 'timeout' | 'aborted' | 'protocol' | 'no_connection';

/** A request without a response. */
export class SmppLost extends Error {
  /** @param written whether the SMSC may have the request */
  constructor(
    readonly reason: SmppLostReason,
    readonly written: boolean,
  ) {
    super(written ? `no answer to a request that was written (${reason})` : `not written (${reason})`);
  }
}

/** The SMSC answered a bind with an error. */
export class SmppBindRefused extends Error {
  constructor(readonly status: number) {
    super(`the bind was refused with command_status 0x${status.toString(16)}`);
  }
}

export interface SmppLinkOptions {
  bind: SmppBind & { mode: SmppBindMode };
  /** Requests without a response at once. */
  window: number;
  /** Time for the bind's response, milliseconds. */
  bindTimeoutMs: number;
  /** Between two `enquire_link`, milliseconds. */
  enquireEveryMs: number;
  /** A link that leaves an `enquire_link` unanswered for so long is dead, milliseconds. */
  enquireTimeoutMs: number;
  /** Handles a `deliver_sm` or `data_sm`; answers the `command_status` of its response. */
  onMessage: (pdu: SmppPdu, linkId: number) => Promise<number>;
}

interface Pending {
  resolve: (response: SmppResponse) => void;
  reject: (lost: SmppLost) => void;
  timer: NodeJS.Timeout | undefined;
  /** Takes part in the window. */
  windowed: boolean;
  stopListening: (() => void) | undefined;
}

const BINDS: Readonly<Record<SmppBindMode, number>> = {
  transceiver: SMPP_COMMANDS.bind_transceiver,
  transmitter: SMPP_COMMANDS.bind_transmitter,
  receiver: SMPP_COMMANDS.bind_receiver,
};

/** `message_id`, empty, which the responses to `deliver_sm` and `data_sm` carry. */
const NO_MESSAGE_ID = Buffer.from([0]);
const LAST_SEQUENCE = 0x7fffffff;

/**
 * One connection with a bind on it, from the bind to its end; it is not bound again. Requests go out while there is room in the window; each
 * gets its response or an {@link SmppLost}.
 */
export class SmppLink {
  /** Resolves with why, once the link can take nothing more. */
  readonly ended: Promise<SmppLostReason>;
  /** Tells connections apart. */
  readonly id = ++links;
  private readonly reader = new PduReader();
  private readonly pending = new Map<number, Pending>();
  private readonly waiting: Array<() => void> = [];
  private inWindow = 0;
  private sequence = 0;
  private endedBy: SmppLostReason | undefined;
  /** The SMSC or we are about to leave: nothing new is begun. */
  private leaving = false;
  private corked = false;
  private enquiry: NodeJS.Timeout | undefined;
  private settleEnded!: (reason: SmppLostReason) => void;
  private readonly drained: Array<() => void> = [];

  private constructor(
    private readonly socket: net.Socket,
    private readonly options: SmppLinkOptions,
  ) {
    this.ended = new Promise((resolve) => (this.settleEnded = resolve));
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => this.end('reset'));
    socket.on('end', () => this.end('reset'));
    socket.on('close', () => this.end('reset'));
  }

  /**
   * Binds on a connected socket.
   * @throws SmppBindRefused, SmppLost; the socket is closed then
   */
  static async bind(socket: net.Socket, options: SmppLinkOptions, signal?: AbortSignal): Promise<SmppLink> {
    const link = new SmppLink(socket, options);
    try {
      const { mode } = options.bind;
      const { status } = await link.request(BINDS[mode], encodeBind(options.bind), options.bindTimeoutMs, signal);
      if (status !== SMPP_STATUS.ok) throw new SmppBindRefused(status);
      link.enquireLater();
      return link;
    } catch (error) {
      link.end('reset');
      throw error;
    }
  }

  get usable(): boolean {
    return !this.leaving && this.endedBy === undefined;
  }

  /** Requests in the window that have no response yet. */
  get underWay(): number {
    return this.inWindow;
  }

  /**
   * Sends a request once the window has room.
   * @param timeoutMs for the response, from the moment of writing, and before that for the room
   * @throws SmppLost
   */
  async windowed(command: number, body: Buffer, timeoutMs: number, signal?: AbortSignal): Promise<SmppResponse> {
    if (this.inWindow >= this.options.window) await this.room(timeoutMs, signal);
    return this.request(command, body, timeoutMs, signal, true);
  }

  /** Waits until what is under way has its response, for a while; then says good-bye and closes. */
  async close(graceMs: number): Promise<void> {
    if (this.endedBy !== undefined) return;
    this.leaving = true;
    this.wakeAll();
    if (this.inWindow > 0) {
      await Promise.race([new Promise<void>((resolve) => this.drained.push(resolve)), elapsed(graceMs), this.ended]);
    }
    if (this.endedBy === undefined)
      await this.request(SMPP_COMMANDS.unbind, undefined, Math.min(graceMs, 1_000)).catch(() => undefined);
    this.end('reset');
  }

  /** Closes now. */
  destroy(): void {
    this.end('reset');
  }

  private async room(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const leave = (reason: SmppLostReason): void => {
        const at = this.waiting.indexOf(enter);
        if (at >= 0) this.waiting.splice(at, 1);
        settle();
        reject(new SmppLost(reason, false));
      };
      const aborted = (): void => leave('aborted');
      const timer = setTimeout(() => leave('timeout'), timeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
      };
      const enter = (): void => {
        settle();
        if (this.usable) resolve();
        else reject(new SmppLost(this.endedBy ?? 'reset', false));
      };
      signal?.addEventListener('abort', aborted);
      this.waiting.push(enter);
    });
    // Others may have come in before this one went on.
    if (this.inWindow >= this.options.window) await this.room(timeoutMs, signal);
  }

  private request(
    command: number,
    body: Buffer | undefined,
    timeoutMs: number,
    signal?: AbortSignal,
    windowed = false,
  ): Promise<SmppResponse> {
    return new Promise((resolve, reject) => {
      if (this.endedBy !== undefined || (windowed && this.leaving))
        return reject(new SmppLost(this.endedBy ?? 'reset', false));
      if (signal?.aborted) return reject(new SmppLost('aborted', false));
      const sequence = this.nextSequence();
      const give = (reason: SmppLostReason): void => {
        this.take(sequence);
        reject(new SmppLost(reason, true));
      };
      const aborted = (): void => give('aborted');
      signal?.addEventListener('abort', aborted);
      const stopListening = signal && (() => signal.removeEventListener('abort', aborted));
      const timer = setTimeout(() => give('timeout'), timeoutMs);
      this.pending.set(sequence, { resolve, reject, timer, windowed, stopListening });
      if (windowed) this.inWindow++;
      this.write(encodePdu(command, SMPP_STATUS.ok, sequence, body));
    });
  }

  private nextSequence(): number {
    do this.sequence = this.sequence >= LAST_SEQUENCE ? 1 : this.sequence + 1;
    while (this.pending.has(this.sequence));
    return this.sequence;
  }

  /** What is written in one turn goes out together. */
  private write(pdu: Buffer): void {
    if (!this.socket.writable) return;
    if (!this.corked) {
      this.corked = true;
      this.socket.cork();
      process.nextTick(() => {
        this.corked = false;
        this.socket.uncork();
      });
    }
    this.socket.write(pdu);
  }

  /** Takes a request out of those that wait for their response. */
  private take(sequence: number): Pending | undefined {
    const pending = this.pending.get(sequence);
    if (!pending) return undefined;
    this.pending.delete(sequence);
    clearTimeout(pending.timer);
    pending.stopListening?.();
    if (pending.windowed) {
      this.inWindow--;
      this.waiting.shift()?.();
      if (this.inWindow === 0) for (const wake of this.drained.splice(0)) wake();
    }
    return pending;
  }

  private receive(chunk: Buffer): void {
    try {
      for (const pdu of this.reader.read(chunk)) {
        if (this.endedBy !== undefined) return;
        this.handle(pdu);
      }
    } catch (error) {
      if (!(error instanceof SmppFormatError)) throw error;
      // Where the next PDU begins is not known any more (3.4, 4.3).
      this.write(encodePdu(GENERIC_NACK, SMPP_STATUS.invalidCommandLength, 0));
      this.end('protocol');
    }
  }

  private handle(pdu: SmppPdu): void {
    if (isResponse(pdu.command)) {
      // A generic_nack answers the request of its sequence number too. What answers nothing is too late.
      this.take(pdu.sequence)?.resolve({ status: nacked(pdu), body: pdu.body });
      return;
    }
    switch (pdu.command) {
      case SMPP_COMMANDS.deliver_sm:
      case SMPP_COMMANDS.data_sm:
        void this.deliver(pdu);
        break;
      case SMPP_COMMANDS.enquire_link:
        this.write(encodePdu(responseTo(pdu.command), SMPP_STATUS.ok, pdu.sequence));
        break;
      case SMPP_COMMANDS.unbind:
        this.leaving = true;
        this.write(encodePdu(responseTo(pdu.command), SMPP_STATUS.ok, pdu.sequence));
        this.end('reset');
        break;
      case SMPP_COMMANDS.alert_notification:
        // Has no response (4.12).
        break;
      default:
        this.write(encodePdu(GENERIC_NACK, SMPP_STATUS.invalidCommand, pdu.sequence));
    }
  }

  private async deliver(pdu: SmppPdu): Promise<void> {
    // The reader goes on in its buffer only forwards, so the body stays as it is.
    const status = await this.options.onMessage(pdu, this.id).catch(() => SMPP_STATUS.temporaryAppError);
    if (this.endedBy === undefined) this.write(encodePdu(responseTo(pdu.command), status, pdu.sequence, NO_MESSAGE_ID));
  }

  private enquireLater(): void {
    this.enquiry = setTimeout(() => {
      this.request(SMPP_COMMANDS.enquire_link, undefined, this.options.enquireTimeoutMs).then(
        () => this.enquireLater(),
        () => this.end('timeout'),
      );
    }, this.options.enquireEveryMs);
    this.enquiry.unref();
  }

  private wakeAll(): void {
    for (const enter of this.waiting.splice(0)) enter();
  }

  private end(reason: SmppLostReason): void {
    if (this.endedBy !== undefined) return;
    this.endedBy = reason;
    clearTimeout(this.enquiry);
    for (const sequence of this.pending.keys()) this.take(sequence)!.reject(new SmppLost(reason, true));
    this.wakeAll();
    // What was written last (a response to unbind) still goes out; a peer that does not close is cut off.
    this.socket.end();
    setTimeout(() => this.socket.destroy(), 500).unref();
    this.settleEnded(reason);
  }
}

let links = 0;

/** A nack says that the request was not read, so it was refused even where it forgets to say why. */
function nacked({ command, status }: SmppPdu): number {
  return command === GENERIC_NACK && status === SMPP_STATUS.ok ? SMPP_STATUS.invalidCommand : status;
}

/** A response's `message_id`; undefined when it has none that can be read. */
export function messageIdOf({ body }: SmppResponse): string | undefined {
  try {
    const id = new BodyReader(body).text();
    return id === '' ? undefined : id;
  } catch (error) {
    if (error instanceof SmppFormatError) return undefined;
    throw error;
  }
}

function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
