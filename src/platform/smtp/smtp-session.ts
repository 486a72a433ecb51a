// nodemailer's connections speak SMTP; its transports on top of them do not tell how far a mail got, so sessions are kept here.
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Dialer } from '../http-client/dialer';
import { failureOf, type Said, SmtpFailure, type SmtpTrouble, troubleOf } from './smtp-failure';
import { isAscii, type SmtpMail } from './smtp-mail';

/** Where a session goes and who it is. */
export interface SmtpTarget {
  host: string;
  port: number;
  tls: 'starttls' | 'implicit' | 'none';
  /** Undefined: no authentication. */
  auth?: { user: string; pass: string };
}

/** Until when, and who may end it early. */
export interface SmtpLimit {
  /** On the clock of `performance.now()`. */
  deadline: number;
  signal: AbortSignal;
}

const CHUNK = 64 * 1024;
const GREETING_MS = 20_000;
const QUIT_MS = 2_000;
const RESET_MS = 5_000;

/**
 * A mail's bytes as nodemailer asks for them, which it does only after the server said 354; it writes the final dot by itself. Large mails go in
 * chunks, as fast as the server takes them, so that a mail that breaks off in the middle is known to have no end.
 */
class MailSource extends Readable {
  begun = false;
  ended = false;
  private at = 0;

  /** @param mayBegin asked when the server is ready for it; what says no ends the connection */
  constructor(
    private readonly bytes: Buffer,
    private readonly socket: Socket,
    private readonly mayBegin: () => boolean,
  ) {
    super({ highWaterMark: CHUNK });
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean }): T {
    if (!this.mayBegin()) return destination;
    this.begun = true;
    if (this.bytes.length > CHUNK) return super.pipe(destination, options);
    this.ended = true;
    // The mail and its dot in one segment.
    this.socket.cork();
    destination.once('end', () => this.socket.uncork());
    destination.end(this.bytes);
    return destination;
  }

  override _read(): void {
    const chunk = this.bytes.subarray(this.at, this.at + CHUNK);
    this.at += chunk.length;
    if (chunk.length > 0) this.push(chunk);
    if (this.at < this.bytes.length) return;
    this.ended = true;
    this.push(null);
  }
}

/** What was said on a connection, as far as it is needed: who was refused, and what the server offers. */
class Transcript implements Said {
  extensions = '';
  refused: Array<{ stage: 'MAIL' | 'RCPT'; reply: string; recipient?: string }> = [];
  answered = false;
  private waiting: string[] = [];
  /** Those of whom the server has not said anything yet. */
  private recipients: string[] = [];

  /** @param recipients in the order in which the server is told them */
  begin(recipients: readonly string[]): void {
    this.recipients = [...recipients];
    this.refused = [];
    this.answered = false;
  }

  // nodemailer's logger interface; replies come in the order of the commands.
  debug(entry: { tnx?: string }, text: string): void {
    if (entry.tnx === 'client') this.waiting.push(text);
    else if (entry.tnx === 'server') this.replied(this.waiting.shift(), text);
  }
  info(): void {}
  warn(): void {}
  error(): void {}

  private replied(command: string | undefined, reply: string): void {
    this.answered = true;
    if (command?.startsWith('EHLO ')) this.extensions = reply;
    const recipient = command?.startsWith('RCPT TO:') ? this.recipients.shift() : undefined;
    if (reply.startsWith('2')) return;
    if (command?.startsWith('MAIL FROM:')) this.refused.push({ stage: 'MAIL', reply });
    if (command?.startsWith('RCPT TO:'))
      this.refused.push({ stage: 'RCPT', reply, ...(recipient !== undefined && { recipient }) });
  }
}

/** One connection to a mail server, ready for mails. Not for two at once. */
export class SmtpSession {
  /** Mails sent so far. */
  mails = 0;
  private dead = false;
  private pending: ((error: Error) => void) | undefined;

  private constructor(
    private readonly connection: SMTPConnection,
    private readonly socket: Socket,
    private readonly transcript: Transcript,
    /** Called once when the connection is over. */
    private ended: () => void = () => undefined,
  ) {
    connection.on('error', (error: Error) => this.over(error));
    connection.on('end', () => this.over(new Error('the connection has ended')));
  }

  /**
   * Connects, upgrades to TLS as the target says, and authenticates.
   * @throws SmtpFailure
   */
  static async open(dialer: Dialer, target: SmtpTarget, limit: SmtpLimit): Promise<SmtpSession> {
    // A stand-in speaks no TLS.
    const plain = target.tls === 'none' || dialer.isStandIn(target.host);
    const socket = await connectTo(dialer, target, limit);
    const transcript = new Transcript();
    const remaining = Math.max(1, limit.deadline - performance.now());
    const connection = new SMTPConnection({
      host: target.host,
      port: target.port,
      connection: socket,
      secure: !plain && target.tls === 'implicit',
      // The dialer has made the handshake, and checked the certificate.
      secured: !plain && target.tls === 'implicit',
      requireTLS: !plain && target.tls === 'starttls',
      ignoreTLS: plain,
      greetingTimeout: Math.min(GREETING_MS, remaining),
      connectionTimeout: remaining,
      socketCloseTimeout: QUIT_MS,
      logger: transcript as never,
      transactionLog: true,
    });
    const session = new SmtpSession(connection, socket, transcript);
    try {
      await session.step(limit, (done) => connection.connect(done as never));
      const { auth } = target;
      if (auth) await session.step(limit, (done) => connection.login({ ...auth }, done));
      return session;
    } catch (error) {
      session.destroy();
      throw failureOf(error, 'CONNECT', false, transcript);
    }
  }

  /** Whether mails can be sent on it, as far as is known. */
  get usable(): boolean {
    return !this.dead && !this.socket.destroyed;
  }

  /** Tells when the connection is over, once. */
  onEnd(listener: () => void): void {
    this.ended = listener;
  }

  /** Whether the server named this extension in its last EHLO. */
  offers(extension: string): boolean {
    return new RegExp(`^\\d{3}[ -]${extension}\\b`, 'im').test(this.transcript.extensions);
  }

  /** Most bytes of a mail, as the server says; undefined when it does not. */
  get sizeLimit(): number | undefined {
    const said = /^\d{3}[ -]SIZE +(\d+)/im.exec(this.transcript.extensions);
    return said === null || said[1] === '0' ? undefined : Number(said[1]);
  }

  /**
   * Sends one mail to all its recipients or to none: when one is refused, no byte of the mail is sent.
   * @param envelopeId the server's reports carry it (DSN)
   * @returns the server's last words
   * @throws SmtpFailure
   */
  async send(mail: SmtpMail, envelopeId: string, limit: SmtpLimit): Promise<string> {
    this.mails++;
    const { transcript } = this;
    transcript.begin(mail.envelope.to);
    const source = new MailSource(mail.bytes, this.socket, () => {
      if (transcript.refused.length === 0) return true;
      // nodemailer goes on for those who are not refused. The server drops a mail that has no end.
      this.pending?.(new Error('a recipient is refused'));
      this.destroy();
      return false;
    });
    const [only] = mail.envelope.to;
    const envelope = {
      from: mail.envelope.from,
      to: mail.envelope.to,
      size: mail.bytes.length,
      use8BitMime: mail.needsSmtpUtf8,
      dsn: {
        ret: 'HDRS',
        envid: envelopeId,
        notify: ['FAILURE', 'DELAY'],
        // Quirk: nodemailer writes one ORCPT to all recipients, so it is told only where there is one (10.6, 2026-11).
        ...(mail.envelope.to.length === 1 && isAscii(only!) && { orcpt: `rfc822;${only}` }),
      },
    };
    try {
      const result = await this.step<{ response: string }>(limit, (done) => {
        this.connection.send(envelope, source, done as never);
      });
      if (!/^2\d\d(?:[ -]|$)/.test(result.response)) {
        this.destroy();
        throw Object.assign(new Error('unreadable reply'), { command: 'DATA', response: result.response });
      }
      return result.response;
    } catch (error) {
      const failure = failureOf(error, source.begun ? 'DATA' : 'MAIL', source.ended, transcript);
      if (source.begun && !source.ended) this.destroy();
      throw failure;
    }
  }

  /** Makes it ready for another mail after a refused one. @throws SmtpFailure */
  async reset(): Promise<void> {
    const limit = { deadline: performance.now() + RESET_MS, signal: new AbortController().signal };
    await this.step(limit, (done) => this.connection.reset(done));
  }

  /** While it waits for mails it does not keep the process alive. */
  rest(): void {
    this.socket.unref();
  }

  wake(): void {
    this.socket.ref();
  }

  /** Says good-bye. */
  quit(): void {
    if (!this.usable) return;
    this.dead = true;
    this.connection.quit();
    setTimeout(() => this.destroy(), QUIT_MS).unref();
  }

  /** Ends it at once, without a word: a mail half sent is none. */
  destroy(): void {
    this.dead = true;
    this.connection.close();
    this.socket.destroy();
  }

  private step<T>(limit: SmtpLimit, begin: (done: (error?: Error | null, value?: T) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { signal } = limit;
      const settle = (error?: Error | null, value?: T): void => {
        if (this.pending === undefined) return;
        this.pending = undefined;
        clearTimeout(timer);
        signal.removeEventListener('abort', aborted);
        if (error) reject(error);
        else resolve(value as T);
      };
      const cut = (trouble: SmtpTrouble): void => {
        settle(Object.assign(new Error(trouble), { trouble }));
        this.destroy();
      };
      const aborted = (): void => cut('aborted');
      const timer = setTimeout(() => cut('timeout'), Math.max(0, limit.deadline - performance.now()));
      this.pending = settle;
      if (signal.aborted) return aborted();
      signal.addEventListener('abort', aborted);
      if (this.dead) return settle(new Error('the connection has ended'));
      try {
        begin(settle);
      } catch (error) {
        settle(error as Error);
        this.destroy();
      }
    });
  }

  private over(error: Error): void {
    this.dead = true;
    this.pending?.(error);
    this.ended();
    this.ended = () => undefined;
  }
}

async function connectTo(dialer: Dialer, target: SmtpTarget, { deadline, signal }: SmtpLimit): Promise<Socket> {
  try {
    return await dialer.connect({
      host: target.host,
      port: target.port,
      tls: target.tls === 'implicit',
      timeoutMs: Math.max(1, deadline - performance.now()),
      signal,
    });
  } catch (error) {
    const trouble = signal.aborted ? 'aborted' : troubleOf(error as NodeJS.ErrnoException);
    const text = (error as Error).message;
    throw new SmtpFailure('CONNECT', { trouble, text, ended: false, answered: false, cause: error });
  }
}
