import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../kernel/clock';
import { LOGGER, type Logger } from '../kernel/logger';
import { Periodic } from '../kernel/periodic';
import { Database, statement } from '../platform/database/database';

const WRITE_EVERY_MS = 60_000;

// Sorted, so that two processes that write at the same time take the rows in the same order.
const WRITE = statement(
  'tenancy.key_usage',
  `UPDATE api_keys k SET last_used_at = u.at
   FROM (SELECT id, to_timestamp(ms / 1000.0) AS at FROM unnest($1::text[], $2::float8[]) AS u(id, ms)) u
   WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)`,
);

/** Notes when keys are used and writes it once a minute, all keys in one statement. */
@Injectable()
export class KeyUsage {
  private used = new Map<string, number>();
  private readonly writer: Periodic;

  constructor(
    private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.writer = new Periodic('api key usage', WRITE_EVERY_MS, () => this.write(), logger);
  }

  note(keyId: string): void {
    this.used.set(keyId, this.clock.now());
  }

  onModuleInit(): void {
    this.writer.start();
  }

  /** Comes before the database connection is closed. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.writer.stop();
    await this.write().catch(() => {});
  }

  /** Writes what is not written yet. What cannot be written now is written the next time. */
  async write(): Promise<void> {
    if (this.used.size === 0) return;
    const batch = this.used;
    this.used = new Map();
    const ids = [...batch.keys()].sort();
    try {
      await this.database.execute(WRITE, [ids, ids.map((id) => batch.get(id)!)]);
    } catch (error) {
      for (const [id, at] of batch) if (!this.used.has(id)) this.used.set(id, at);
      throw error;
    }
  }
}
