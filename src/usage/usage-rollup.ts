import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../kernel/logger';
import { Periodic } from '../kernel/periodic';
import { Database, type Transaction } from '../platform/database/database';
import { MetricsRegistry } from '../platform/observability/metrics-registry';
import { COUNTER_COLUMNS, countersOfDelta } from './usage-columns';
import { GRAIN_MINUTES } from './usage-period';

const EVERY_MS = 1_000;
/** Changes of one transaction. */
const BATCH = 20_000;
/** Whoever changes the counters has it: one process at a time. */
export const USAGE_LOCK = 815_019;

const list = (form: (column: string) => string): string => COUNTER_COLUMNS.map(form).join(', ');

/**
 * Takes changes out, in their order, and adds them to the counters, in one statement: so each counts once, whenever the process ends. In order, since
 * a message leaves a status by a later change than the one that brought it there, and no figure must be below what was sent.
 */
const ROLL_UP = `
  WITH batch AS (
    DELETE FROM usage_deltas WHERE seq IN (SELECT seq FROM usage_deltas ORDER BY seq LIMIT $1) RETURNING *
  ), grains AS (
    SELECT minutes FROM unnest(ARRAY[${GRAIN_MINUTES.join(', ')}]) AS g(minutes)
  ), counted AS (
    INSERT INTO usage_counters AS u (client_id, grain, bucket, config_id, channel, ${list((column) => column)})
    SELECT d.client_id, g.minutes, date_bin(make_interval(mins => g.minutes), d.bucket, 'epoch'), d.config_id, d.channel,
           ${countersOfDelta('d')
             .map((value) => `sum(${value})`)
             .join(', ')}
    FROM batch d CROSS JOIN grains g GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (client_id, grain, bucket, config_id, channel) DO UPDATE SET ${list((column) => `${column} = u.${column} + excluded.${column}`)}
  ), priced AS (
    INSERT INTO usage_costs AS u (client_id, grain, bucket, config_id, channel, currency, amount)
    SELECT d.client_id, g.minutes, date_bin(make_interval(mins => g.minutes), d.bucket, 'epoch'), d.config_id, d.channel, d.currency, sum(d.amount)
    FROM batch d CROSS JOIN grains g WHERE d.currency IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (client_id, grain, bucket, config_id, channel, currency) DO UPDATE SET amount = u.amount + excluded.amount
  )
  SELECT count(*)::int AS n FROM batch`;

/** Adds what messages changed to the counters. Any number of processes may run it; one at a time is at it. */
@Injectable()
export class UsageRollup {
  private readonly task: Periodic;
  private readonly lag;

  constructor(
    private readonly database: Database,
    metrics: MetricsRegistry,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.task = new Periodic('usage roll-up', EVERY_MS, () => this.run(), logger);
    this.lag = metrics.gauge(
      'unimsg_usage_rollup_lag_seconds',
      'Age of the oldest change that was not in the usage counters when this process last looked; readings include it all the same',
    );
  }

  start(): void {
    this.task.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** Adds all that is there. Safe to run at any time, in any number of processes. */
  async run(): Promise<void> {
    const [oldest] = await this.database.query<{ age: number }>(
      `SELECT coalesce((SELECT extract(epoch FROM greatest(now() - created_at, '0')) FROM usage_deltas ORDER BY seq LIMIT 1), 0)::float8 AS age`,
    );
    this.lag.set(oldest!.age);
    while (!this.task.stopping && (await this.database.transaction((tx) => this.rollUp(tx))));
  }

  /** One batch. Answers whether there may be more. */
  private async rollUp(tx: Transaction): Promise<boolean> {
    const [lock] = await tx.query<{ taken: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS taken', [USAGE_LOCK]);
    if (!lock!.taken) return false;
    const [batch] = await tx.query<{ n: number }>(ROLL_UP, [BATCH]);
    return batch!.n === BATCH;
  }
}
