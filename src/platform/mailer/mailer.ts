import type { SmtpSettings } from '../../config/app-config';
import type { Clock } from '../../kernel/clock';
import type { Dialer } from '../http-client/dialer';
import { isStale, SmtpFailure } from '../smtp/smtp-failure';
import type { SmtpMail } from '../smtp/smtp-mail';
import { SmtpPool } from '../smtp/smtp-pool';
import { SmtpSession, type SmtpLimit, type SmtpTarget } from '../smtp/smtp-session';
import { composeMail } from './mail.composer';
import type { Mail, MailFailureClass, MailOutcome } from './mail';
import type { MailStandIn } from './mail-stand-in';
import { MailTurns } from './mail-turns';

/** How it came out, without when. */
type Result = { reply?: string; replyCode?: number } & (
  { sent: true } | { sent: false; failure: MailFailureClass; error: string }
);

export interface MailerOptions {
  /** Mails under way at once, each on a connection of its own. Default 5. */
  connections?: number;
  /** For a mail, waiting for a connection included. Default 30 s. */
  timeoutMs?: number;
}

/** Counts mails; see {@link MailerModule}. */
export type CountMail = (result: 'sent' | MailFailureClass) => void;

const POOL_KEY = { configId: 'operator', configVersion: 1 };
const IDLE_MS = 20_000;
const MAILS_PER_SESSION = 100;
const KEPT_REPLY = 1024;

/**
 * Sends mails of the service (inbound messages, alerts, reports) over the operator's mail server, or to the simulator's stand-in where none is set.
 * One try a call: trying again is the caller's affair, with the same `messageId`.
 */
export class Mailer {
  private readonly pool: SmtpPool;
  private readonly connections: number;
  private readonly timeoutMs: number;
  private underWay = 0;
  /** For a connection. */
  private readonly waiting = new MailTurns();
  private readonly ending = new AbortController();

  /**
   * @param settings the operator's mail server; undefined: the stand-in
   * @param dialer reaches any address: the operator is trusted
   */
  constructor(
    private readonly domain: string,
    private readonly settings: SmtpSettings | undefined,
    private readonly standIn: MailStandIn,
    private readonly dialer: Dialer,
    private readonly clock: Clock,
    private readonly count: CountMail = () => undefined,
    options: MailerOptions = {},
  ) {
    this.connections = options.connections ?? 5;
    this.timeoutMs = options.timeoutMs ?? 30_000;
    this.pool = new SmtpPool({
      perConfig: this.connections,
      total: this.connections,
      idleMs: IDLE_MS,
      mailsPerSession: MAILS_PER_SESSION,
    });
  }

  /** `<local>@<UNIMSG_MAIL_DOMAIN>`. */
  address(local: string): string {
    return `${local}@${this.domain}`;
  }

  /** A Message-ID for the thing of this id. */
  messageId(id: string): string {
    return `${id}@${this.domain}`;
  }

  /** Tries once; a failure is an answer, not an error. */
  async send(mail: Mail): Promise<MailOutcome> {
    const at = this.clock.now();
    const startedAt = performance.now();
    const result = await this.attempt(mail, at);
    this.count(result.sent ? 'sent' : result.failure);
    return { at, latencyMs: Math.round(performance.now() - startedAt), ...result };
  }

  /** Breaks off what is under way. */
  close(): void {
    this.ending.abort(new Error('the service stops'));
    this.pool.release(POOL_KEY.configId);
    for (let turn = this.waiting.next(); turn !== undefined; turn = this.waiting.next()) turn(false);
  }

  private async attempt(mail: Mail, at: number): Promise<Result> {
    const target = this.target();
    if (target === undefined) return { sent: false, failure: 'transient', error: 'mail_not_configured' };
    const composed = await composeMail(mail, at);
    const limit: SmtpLimit = { deadline: performance.now() + this.timeoutMs, signal: this.ending.signal };
    if (!(await this.enter(mail, limit))) return { sent: false, failure: 'transient', error: 'mail_server_busy' };
    try {
      const reply = await this.deliver(composed, mail.messageId, target, limit);
      return { sent: true, reply: this.clean(reply), replyCode: Number(reply.slice(0, 3)) };
    } catch (error) {
      if (!(error instanceof SmtpFailure)) throw error;
      return this.failed(error);
    } finally {
      this.leave();
    }
  }

  private target(): SmtpTarget | undefined {
    if (this.settings !== undefined) {
      const { host, port, tls, auth } = this.settings;
      return { host, port, tls, ...(auth && { auth: { user: auth.user, pass: auth.password.reveal() } }) };
    }
    const { address } = this.standIn;
    return address && { ...address, tls: 'none' };
  }

  private async deliver(mail: SmtpMail, id: string, target: SmtpTarget, limit: SmtpLimit): Promise<string> {
    const rested = this.pool.take(POOL_KEY);
    if (rested) {
      try {
        return await this.over(rested, mail, id, limit);
      } catch (error) {
        if (!isStale(error)) throw error;
      }
    }
    return this.over(await SmtpSession.open(this.dialer, target, limit), mail, id, limit);
  }

  private async over(session: SmtpSession, mail: SmtpMail, id: string, limit: SmtpLimit): Promise<string> {
    let failed: SmtpFailure | undefined;
    try {
      return await session.send(mail, id, limit);
    } catch (error) {
      if (error instanceof SmtpFailure) failed = error;
      throw error;
    } finally {
      void this.pool.give(POOL_KEY, session, failed);
    }
  }

  private failed({ stage, details }: SmtpFailure): Result {
    const { reply, trouble = 'reset', ended } = details;
    if (reply === undefined) {
      if (ended) return { sent: false, failure: 'ambiguous', error: 'mail_no_answer' };
      return { sent: false, failure: 'transient', error: trouble };
    }
    const said = { reply: this.clean(reply.text), replyCode: reply.code };
    if (stage === 'AUTH') return { sent: false, failure: 'transient', error: 'mail_login_refused', ...said };
    if (stage === 'CONNECT' || stage === 'STARTTLS')
      return { sent: false, failure: 'transient', error: 'mail_server_refused', ...said };
    if (reply.code < 500) return { sent: false, failure: 'transient', error: 'mail_deferred', ...said };
    const error = stage === 'RCPT' ? 'mail_recipient_refused' : 'mail_refused';
    return { sent: false, failure: 'permanent', error, ...said };
  }

  /** Servers repeat what they were told. */
  private clean(reply: string): string {
    const password = this.settings?.auth?.password.reveal();
    const text = reply.slice(0, KEPT_REPLY).replaceAll('\0', '\ufffd');
    if (!password) return text;
    return text.replaceAll(password, '[secret]').replaceAll(Buffer.from(password).toString('base64'), '[secret]');
  }

  /** Whether there was a connection to be had in time. */
  private async enter({ owner, urgent = false }: Mail, { deadline, signal }: SmtpLimit): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.underWay < this.connections) {
      this.underWay++;
      return true;
    }
    return new Promise((resolve) => {
      const turn = (may: boolean): void => {
        clearTimeout(timer);
        resolve(may);
      };
      const timer = setTimeout(() => {
        this.waiting.remove(owner, urgent, turn);
        resolve(false);
      }, deadline - performance.now());
      if (!this.waiting.add(owner, urgent, turn)) turn(false);
    });
  }

  private leave(): void {
    const next = this.waiting.next();
    if (next === undefined) this.underWay--;
    else next(true);
  }
}
