import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { Problem } from '../../kernel/problem';
import { ProviderRegistry } from '../../gateway/provider-registry';
import { Database } from '../../platform/database/database';
import { MessageActions } from './message-actions';

const EVERY_MS = 5_000;
const FIRST_SECONDS = 5;
/** Between one question and the next; then nobody asks any more, about 48 hours after the message was sent. */
const LADDER_SECONDS = [25, 90, 480, 3_000, 5 * 3_600, 18 * 3_600, 24 * 3_600];
/** What was sent longer ago is not asked for when an account comes new. */
const LONGEST_HOURS = 48;
const MOST_EVENTS = 5_000;
const MOST_POLLS = 200;
const CONCURRENCY = 10;

const FINAL = ['message.delivered', 'message.read', 'message.undelivered', 'message.failed'];

/**
 * Asks providers that report nothing by themselves (`capabilities.status: 'pull'`) what became of the messages that they took. Learns of the
 * messages from the events of the tenants that have such an account, so that sending costs nothing more. Several processes share the work.
 */
@Injectable()
export class StatusPoller {
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    private readonly registry: ProviderRegistry,
    private readonly actions: MessageActions,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.task = new Periodic('status polls', EVERY_MS, () => this.run(), logger);
  }

  start(): void {
    this.task.start();
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** One round. Safe to run at any time, in any number of processes. */
  async run(): Promise<void> {
    const providers = this.registry
      .all()
      .flatMap(({ key, capabilities }) => (capabilities.status === 'pull' ? key : []));
    const tenants = await this.database.query<{ client_id: string }>(
      'SELECT DISTINCT client_id FROM provider_configs WHERE provider = ANY($1)',
      [providers],
    );
    for (const { client_id: clientId } of tenants) {
      while (!this.task.stopping && (await this.collect(clientId, providers)));
    }
    while (!this.task.stopping && (await this.ask()));
  }

  /** Notes what a tenant has sent by such a provider since the last look, and drops what is final. Answers whether there may be more. */
  private collect(clientId: string, providers: readonly string[]): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      await tx.query(
        `INSERT INTO status_poll_cursors (client_id, tx, seq) VALUES ($1, '0', 0) ON CONFLICT (client_id) DO NOTHING`,
        [clientId],
      );
      const [cursor] = await tx.query<{ tx: string; seq: string }>(
        'SELECT tx::text, seq::text FROM status_poll_cursors WHERE client_id = $1 FOR UPDATE SKIP LOCKED',
        [clientId],
      );
      // Another process is at it.
      if (!cursor) return false;
      const events = await tx.query<{ tx: string; seq: string; type: string; message_id: string; asked: boolean }>(
        `SELECT tx::text, seq::text, type, message_id,
           type = 'message.sent' AND gateway = ANY($4) AND occurred_at > now() - interval '${LONGEST_HOURS} hours' AS asked
         FROM events WHERE client_id = $1 AND (tx, seq) > ($2::xid8, $3::bigint) AND tx < pg_snapshot_xmin(pg_current_snapshot())
         ORDER BY tx, seq LIMIT ${MOST_EVENTS}`,
        [clientId, cursor.tx, cursor.seq, providers],
      );
      const last = events.at(-1);
      if (!last) return false;
      const final = new Set(events.filter(({ type }) => FINAL.includes(type)).map(({ message_id: id }) => id));
      const asked = events.filter((event) => event.asked && !final.has(event.message_id));
      if (asked.length > 0) {
        await tx.query(
          `INSERT INTO status_polls (message_id, client_id, due_at)
           SELECT id, $1, now() + interval '${FIRST_SECONDS} seconds' FROM unnest($2::text[]) AS id ON CONFLICT DO NOTHING`,
          [clientId, asked.map(({ message_id: id }) => id)],
        );
      }
      await tx.query('DELETE FROM status_polls WHERE client_id = $1 AND message_id = ANY($2)', [clientId, [...final]]);
      await tx.query('UPDATE status_poll_cursors SET tx = $2::xid8, seq = $3 WHERE client_id = $1', [
        clientId,
        last.tx,
        last.seq,
      ]);
      return events.length === MOST_EVENTS;
    });
  }

  /** Asks for what is due. The next question is noted before this one is asked, so a process that dies loses one at most. */
  private async ask(): Promise<boolean> {
    const due = await this.database.query<{ message_id: string; client_id: string; tries: number }>(
      `UPDATE status_polls p SET tries = tries + 1, due_at = now() + make_interval(secs => ($1::float8[])[least(tries + 1, cardinality($1::float8[]))])
       WHERE message_id IN (SELECT message_id FROM status_polls WHERE due_at <= now() ORDER BY due_at LIMIT ${MOST_POLLS} FOR UPDATE SKIP LOCKED)
       RETURNING message_id, client_id, tries`,
      [[...LADDER_SECONDS, 0]],
    );
    // More tries than the ladder has: the deletion after the last one did not come about.
    const over: string[] = due.filter(({ tries }) => tries > LADDER_SECONDS.length).map(({ message_id: id }) => id);
    const queue = due[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (const { message_id: id, client_id: clientId } of queue) {
        if (this.task.stopping) return;
        if (await this.isFinal(clientId, id)) over.push(id);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
    if (over.length > 0) await this.database.execute('DELETE FROM status_polls WHERE message_id = ANY($1)', [over]);
    return due.length === MOST_POLLS;
  }

  private async isFinal(clientId: string, id: string): Promise<boolean> {
    try {
      return (await this.actions.refresh(clientId, id)).final;
    } catch (error) {
      // The provider does not answer, or the account is gone: the next question may fare better. Whatever else it is, it is not to stop the others.
      if (error instanceof Problem)
        this.logger.info({ messageId: id, code: error.code }, 'a message could not be asked for');
      else this.logger.warn({ err: error, messageId: id }, 'a message could not be asked for');
      return false;
    }
  }
}
