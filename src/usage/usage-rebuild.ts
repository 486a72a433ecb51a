import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../kernel/clock';
import { Problem } from '../kernel/problem';
import { DAY_MS, usagePeriodOf } from '../gateway/usage/usage-query';
import {
  CONTRIBUTION_CONFIG,
  COUNTED_STATUSES,
  engagementColumns,
  SEND_STATUSES,
} from '../messaging/metering/contribution';
import { Database } from '../platform/database/database';
import { TenantDirectory } from '../tenancy/tenant-directory';
import type { RebuildUsageDto } from './usage.dto';
import { USAGE_LOCK, UsageRollup } from './usage-rollup';

/** Longest stretch of one call. */
const MOST_DAYS = 400;
const ENGAGEMENT = engagementColumns('m.engagement');
const words = (list: readonly string[]): string => list.map((word) => `'${word}'`).join(', ');
const IN_DAY = 'client_id = $1 AND bucket >= $2 AND bucket < $3';
const QUARTER = (at: string): string => `date_bin('15 minutes', ${at}, 'epoch')`;

/**
 * One statement, so one look: what is counted and what waits to be counted goes, and what the messages say comes as changes. A message that is being
 * written is seen as it was, and so is its change; it is added later. What came in is no message of ours and stays.
 */
const REBUILD_DAY = `
  WITH counters AS (
    DELETE FROM usage_counters WHERE ${IN_DAY} RETURNING grain, bucket, config_id, channel, inbound
  ), costs AS (
    DELETE FROM usage_costs WHERE ${IN_DAY}
  ), pending AS (
    DELETE FROM usage_deltas WHERE ${IN_DAY} RETURNING bucket, config_id, channel, inbound
  ), kept AS (
    INSERT INTO usage_deltas (client_id, bucket, config_id, channel, inbound)
    SELECT $1, bucket, config_id, channel, sum(inbound) FROM (
      SELECT bucket, config_id, channel, inbound FROM counters WHERE grain = 15
      UNION ALL SELECT bucket, config_id, channel, inbound FROM pending) i
    GROUP BY 2, 3, 4 HAVING sum(inbound) <> 0
  ), counted AS (
    INSERT INTO usage_deltas (client_id, bucket, config_id, channel, status, messages, segments, ${ENGAGEMENT.map(([column]) => column).join(', ')})
    SELECT $1, ${QUARTER('m.created_at')}, ${CONTRIBUTION_CONFIG}, m.channel, CASE WHEN m.status IN (${words(COUNTED_STATUSES)}) THEN m.status END,
           count(*) FILTER (WHERE m.status IN (${words(COUNTED_STATUSES)})),
           coalesce(sum(m.segments) FILTER (WHERE m.status IN (${words(SEND_STATUSES)})), 0), ${ENGAGEMENT.map(([, value]) => `sum(${value})`).join(', ')}
    FROM messages m
    WHERE m.client_id = $1 AND m.created_at >= $2 AND m.created_at < $3 AND (m.status IN (${words(COUNTED_STATUSES)}) OR m.engagement IS NOT NULL)
    GROUP BY 2, 3, 4, 5
    RETURNING messages
  ), priced AS (
    INSERT INTO usage_deltas (client_id, bucket, config_id, channel, currency, amount)
    SELECT $1, ${QUARTER('m.created_at')}, ${CONTRIBUTION_CONFIG}, m.channel, m.cost_currency, sum(m.cost_amount)
    FROM messages m
    WHERE m.client_id = $1 AND m.created_at >= $2 AND m.created_at < $3 AND m.cost_currency IS NOT NULL AND m.cost_amount IS NOT NULL
    GROUP BY 2, 3, 4, 5
  )
  SELECT coalesce(sum(messages), 0)::float8 AS messages FROM counted`;

/** What a rebuild did. */
export interface RebuiltUsage {
  clientId: string;
  /** Milliseconds since the epoch; whole days of UTC, `to` exclusive. */
  from: number;
  to: number;
  /** Messages that were counted. */
  messages: number;
}

/** Counts a tenant's messages anew. For the operator: figures that were put right in the messages, or a table that was restored. */
@Injectable()
export class UsageRebuild {
  constructor(
    private readonly database: Database,
    private readonly tenants: TenantDirectory,
    private readonly rollup: UsageRollup,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Day by day, each in a transaction of its own: readers see a day as it was or as it is, and a call that was cut off can be made again.
   * @throws Problem 404; 400 for a period that is none, or of which not all messages are there any more
   */
  async rebuild({ client_id: clientId, ...query }: RebuildUsageDto): Promise<RebuiltUsage> {
    const { settings } = await this.tenants.get(clientId);
    const now = this.clock.now();
    const period = usagePeriodOf(query, { timeZone: 'UTC', now, mostDays: MOST_DAYS });
    const from = Math.floor(period.from / DAY_MS) * DAY_MS;
    const to = Math.ceil(period.to / DAY_MS) * DAY_MS;
    const { recordDays } = settings.retention;
    if (recordDays !== null && from < now - recordDays * DAY_MS)
      throw Problem.field('from', 'too_early', `must be within the ${recordDays} days for which messages are kept`);
    let messages = 0;
    for (let day = from; day < to; day += DAY_MS) messages += await this.day(clientId, day);
    await this.rollup.run();
    return { clientId, from, to, messages };
  }

  private async day(clientId: string, day: number): Promise<number> {
    return this.database.transaction(async (tx) => {
      await tx.query(`SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '1min'`);
      await tx.query('SELECT pg_advisory_xact_lock($1)', [USAGE_LOCK]);
      const [row] = await tx.query<{ messages: number }>(REBUILD_DAY, [
        clientId,
        new Date(day),
        new Date(day + DAY_MS),
      ]);
      return row!.messages;
    });
  }
}
