import { Inject, Injectable } from '@nestjs/common';
import { idAt } from '../kernel/ids';
import { LOGGER, type Logger } from '../kernel/logger';
import { Periodic } from '../kernel/periodic';
import { Database, type Transaction } from '../platform/database/database';

const EVERY_MS = 60_000;
/** Raw callbacks are kept for 30 days; their keys as long, so that a late repeat is still known. */
const CALLBACK_DAYS = 30;
/** Alerts that are over. */
const ALERT_DAYS = 90;
const DELETE_BATCH = 10_000;
/** Longest time of a round that goes into deleting from one table; the rest comes in the next one. */
const DELETE_MS = 10_000;
/** One scheduler at a time: the others find the lock taken and leave. */
const LOCK = 815_002;

/** Timed work on the message tables: partitions made ahead, keys and raw callbacks that are past their time deleted. */
@Injectable()
export class Maintenance {
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.task = new Periodic('maintenance', EVERY_MS, () => this.run(), logger);
  }

  start(): void {
    this.task.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** One round. Safe to run at any time, in any number of processes. */
  async run(): Promise<void> {
    // Making a partition locks its whole table, so that transaction does nothing else.
    await this.alone(async (tx) => {
      await tx.query(`SELECT unimsg_make_partitions('messages', now()::date, 4, 'WITH (fillfactor = 32)')`);
      await tx.query(`SELECT unimsg_make_partitions('events', now()::date, 4)`);
      await tx.query(`SELECT unimsg_make_partitions('provider_events', now()::date, 4)`);
      await tx.query(`SELECT unimsg_make_partitions('webhook_deliveries', now()::date, 4, 'WITH (fillfactor = 90)')`);
      await tx.query(`SELECT unimsg_make_partitions('inbound_messages', now()::date, 4)`);
      await tx.query(`SELECT unimsg_make_partitions('inbound_deliveries', now()::date, 4, 'WITH (fillfactor = 60)')`);
      return 0;
    });
    for (const [statement, values] of this.deletions()) {
      const until = performance.now() + DELETE_MS;
      // As many batches as it takes: keys and callbacks come by the thousand a second.
      while (!this.task.stopping && performance.now() < until) {
        const deleted = await this.alone((tx) => tx.execute(statement, values));
        if (deleted < DELETE_BATCH) break;
      }
    }
  }

  private deletions(): Array<[statement: string, values: unknown[]]> {
    return [
      [
        `DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency_keys WHERE expires_at < now() LIMIT ${DELETE_BATCH}))`,
        [],
      ],
      [
        `DELETE FROM provider_event_keys WHERE ctid = ANY(ARRAY(
           SELECT ctid FROM provider_event_keys WHERE created_at < now() - interval '${CALLBACK_DAYS} days' LIMIT ${DELETE_BATCH}))`,
        [],
      ],
      [
        // By the id, which carries the time and has an index: a look for old rows must not read all the young ones of their month.
        `DELETE FROM provider_events e USING (
           SELECT id, created_at FROM provider_events
           WHERE id < $1 AND created_at < now() - interval '${CALLBACK_DAYS} days' ORDER BY id LIMIT ${DELETE_BATCH}) old
         WHERE e.id = old.id AND e.created_at = old.created_at`,
        [idAt('providerEvent', Date.now() - CALLBACK_DAYS * 24 * 3_600_000)],
      ],
      [
        `DELETE FROM alerts WHERE id IN (
           SELECT id FROM alerts WHERE cleared_at < now() - interval '${ALERT_DAYS} days' ORDER BY cleared_at LIMIT ${DELETE_BATCH})`,
        [],
      ],
    ];
  }

  /** A transaction while no other process is at it; answers 0 when one is. */
  private async alone(work: (tx: Transaction) => Promise<number>): Promise<number> {
    return this.database.transaction(async (tx) => {
      const [lock] = await tx.query<{ taken: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS taken', [LOCK]);
      return lock?.taken ? work(tx) : 0;
    });
  }
}
