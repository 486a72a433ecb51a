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
/** Tables by the month, with how their partitions are stored, and how many months are made, this one included. */
const PARTITIONED: ReadonlyArray<[table: string, storage: string]> = [
  ['messages', 'WITH (fillfactor = 32)'],
  ['events', ''],
  ['provider_events', ''],
  ['webhook_deliveries', 'WITH (fillfactor = 90)'],
  ['inbound_messages', ''],
  ['inbound_deliveries', 'WITH (fillfactor = 60)'],
];
const MONTHS = 4;
/**
 * A partition is made under a lock of its whole table. Behind a long reader that lock is waited for, and whoever comes meanwhile waits too: so not for
 * long. There are months to try again.
 */
const LOCK_TIMEOUT_MS = 200;
const LOCK_NOT_AVAILABLE = '55P03';
/** One scheduler at a time: the others find the lock taken and leave. */
const LOCK = 815_002;

/** Timed work on the message tables: partitions made ahead, keys and raw callbacks that are past their time deleted. */
@Injectable()
export class Maintenance {
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    @Inject(LOGGER) private readonly logger: Logger,
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
    for (const [table, storage] of PARTITIONED) await this.makePartitions(table, storage);
    for (const [statement, values] of this.deletions()) {
      const until = performance.now() + DELETE_MS;
      // As many batches as it takes: keys and callbacks come by the thousand a second.
      while (!this.task.stopping && performance.now() < until) {
        const deleted = await this.alone((tx) => tx.execute(statement, values));
        if (deleted < DELETE_BATCH) break;
      }
    }
  }

  /** Makes those that are missing, in a transaction that does nothing else. */
  private async makePartitions(table: string, storage: string): Promise<void> {
    try {
      await this.alone(async (tx) => {
        await tx.execute(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        return tx.execute('SELECT unimsg_make_partitions($1, now()::date, $2, $3)', [table, MONTHS, storage]);
      });
    } catch (error) {
      if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
      this.logger.info({ table }, 'partition not made: the table is in use; the next round tries again');
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
