import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../kernel/logger';
import { Periodic } from '../kernel/periodic';
import { Database } from '../platform/database/database';

const EVERY_MS = 60_000;
/** Raw callbacks are kept for 30 days; their keys as long, so that a late repeat is still known. */
const CALLBACK_DAYS = 30;
const DELETE_BATCH = 10_000;
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
    await this.database.transaction(async (tx) => {
      const [lock] = await tx.query<{ taken: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS taken', [LOCK]);
      if (!lock?.taken) return;
      await tx.query(`SELECT unimsg_make_partitions('messages', now()::date, 4, 'WITH (fillfactor = 45)')`);
      await tx.query(`SELECT unimsg_make_partitions('events', now()::date, 4)`);
      await tx.query(`SELECT unimsg_make_partitions('provider_events', now()::date, 4)`);
      await tx.query(`SELECT unimsg_make_partitions('webhook_deliveries', now()::date, 4, 'WITH (fillfactor = 90)')`);
      await tx.execute(
        `DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency_keys WHERE expires_at < now() LIMIT ${DELETE_BATCH}))`,
      );
      await tx.execute(
        `DELETE FROM provider_event_keys WHERE ctid = ANY(ARRAY(
           SELECT ctid FROM provider_event_keys WHERE created_at < now() - interval '${CALLBACK_DAYS} days' LIMIT ${DELETE_BATCH}))`,
      );
      await tx.execute(
        `DELETE FROM provider_events e USING (
           SELECT id, created_at FROM provider_events WHERE created_at < now() - interval '${CALLBACK_DAYS} days' LIMIT ${DELETE_BATCH}) old
         WHERE e.id = old.id AND e.created_at = old.created_at`,
      );
    });
  }
}
