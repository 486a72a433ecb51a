import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { storableText } from '../../kernel/storable-text';
import { Database } from '../../platform/database/database';
import { retryDelay, type RetryLadder } from '../../platform/delivery/retry-ladder';
import { OPERATOR, type MailOutcome } from '../../platform/mailer/mail';
import { Mailer } from '../../platform/mailer/mailer';
import type { UsageReportDocument } from './report-document.view';
import { reportFile } from './report-file';
import { reportHtml } from './report-html';
import { outlineOf } from './report-outline';
import type { ReportFormat } from './report-schedule';
import { reportText } from './report-text';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Nine tries over about two days. */
export const MAIL_LADDER: RetryLadder = {
  delaysMs: [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR],
  jitter: 0.2,
};
const EVERY_MS = 5_000;
const BATCH = 5;
/** How long a try may take before another process takes the mail over; the mailer gives up long before. */
const LEASE_MS = 5 * MINUTE;

/** A mail that this process has taken. */
interface Claimed {
  id: string;
  /** Null: the report is the operator's. */
  client_id: string | null;
  recipient: string;
  attempts: number;
  document: UsageReportDocument;
  format: ReportFormat;
}

/** One try, as it is kept. */
export interface KeptAttempt {
  at: string;
  latency_ms: number;
  error?: string;
  reply?: string;
}

/**
 * Mails reports. A mail is taken by one process at a time, for the length of a lease, so that each is sent once; where a process dies between the server's
 * "250" and the note of it, the mail is sent again with the same Message-ID.
 */
@Injectable()
export class ReportMails {
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    private readonly mailer: Mailer,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.task = new Periodic('usage report mails', EVERY_MS, () => this.run(), logger);
  }

  start(): void {
    this.task.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** Tries all that are due now; answers how many. */
  async run(): Promise<number> {
    let tried = 0;
    while (!this.task.stopping) {
      const claimed = await this.claim();
      if (claimed.length === 0) break;
      await Promise.all(claimed.map((mail) => this.deliver(mail)));
      tried += claimed.length;
    }
    return tried;
  }

  private claim(): Promise<Claimed[]> {
    return this.database.query<Claimed>(
      `WITH due AS (
         SELECT id FROM report_deliveries WHERE status = 'pending' AND next_attempt_at <= to_timestamp($1 / 1000.0)
         ORDER BY next_attempt_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
       UPDATE report_deliveries d SET attempts = d.attempts + 1, next_attempt_at = to_timestamp($2 / 1000.0)
       FROM due, usage_reports r WHERE d.id = due.id AND r.id = d.report_id
       RETURNING d.id, r.client_id, d.recipient, d.attempts, r.document, r.format`,
      [this.clock.now(), this.clock.now() + LEASE_MS],
    );
  }

  private async deliver(mail: Claimed): Promise<void> {
    const outcome = await this.send(mail);
    const failed = !outcome.sent;
    const wait = failed && outcome.failure !== 'permanent' ? retryDelay(MAIL_LADDER, mail.attempts) : null;
    const attempt: KeptAttempt = {
      at: new Date(outcome.at).toISOString(),
      latency_ms: outcome.latencyMs,
      ...(failed && { error: outcome.error }),
      ...(outcome.reply !== undefined && { reply: storableText(outcome.reply) }),
    };
    // Who has taken it over since has the word.
    await this.database.execute(
      `UPDATE report_deliveries SET status = $3, next_attempt_at = to_timestamp($4 / 1000.0), attempt_log = attempt_log || $5::jsonb,
         updated_at = to_timestamp($6 / 1000.0)
       WHERE id = $1 AND attempts = $2 AND status = 'pending'`,
      [
        mail.id,
        mail.attempts,
        failed ? (wait === null ? 'failed' : 'pending') : 'sent',
        wait === null ? null : this.clock.now() + wait,
        JSON.stringify([attempt]),
        this.clock.now(),
      ],
    );
  }

  private async send({ id, client_id: clientId, recipient, document, format }: Claimed): Promise<MailOutcome> {
    try {
      const { filename, contentType, content } = reportFile(document, format);
      const outline = outlineOf(document);
      return await this.mailer.send({
        owner: clientId ?? OPERATOR,
        from: { email: this.mailer.address('reports'), name: 'UniMsg reports' },
        to: recipient,
        subject: outline.subject,
        text: reportText(outline),
        html: reportHtml(outline),
        attachments: [{ filename, contentType, content }],
        messageId: this.mailer.messageId(id),
      });
    } catch (error) {
      this.logger.error({ err: error, delivery: id }, 'a usage report could not be mailed');
      return { at: this.clock.now(), latencyMs: 0, sent: false, failure: 'transient', error: 'internal' };
    }
  }
}
