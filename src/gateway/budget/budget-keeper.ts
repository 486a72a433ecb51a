import type { Clock } from '../../kernel/clock';
import type { Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import type { AlertBook } from '../../platform/alerts/alert-book';
import type { ChangeFeed } from '../../platform/database/change-feed';
import type { Database, Transaction } from '../../platform/database/database';
import type { EventSignal } from '../../platform/events/event-store';
import { DEFAULT_ERROR_BUDGET_OBJECTIVE } from '../../tenancy/tenant-settings';
import { BUDGETS_CHANGED } from './budget-directory';
import { judge, type Degraded, type Outcomes, type Windows } from './budget.policy';

const EVERY_MS = 2_000;
const MINUTE_MS = 60_000;
/** One process at a time. */
const LOCK = 815_020;
const KEEP_MS = 2 * 3_600_000;
const CLEAN_EVERY_MS = 5 * 60_000;
/** Days whose reports say what is usual, and how many it takes. */
const USUAL_DAYS = 7;
const LEAST_USUAL = 100;
/** What is taken for usual of a gateway without a past. */
const USUALLY_UNDELIVERED = 0.1;

/** What the keeper stands on. */
export interface BudgetKeeperDeps {
  database: Database;
  alerts: AlertBook;
  signal: EventSignal;
  feed: ChangeFeed;
  clock: Clock;
  logger: Logger;
}

interface LookedAt {
  config_id: string;
  client_id: string;
  provider: string;
  channel: string;
  status: string;
  objective: number;
  step: number | null;
  burn_rate: number | null;
  since: Date | null;
  step_since: Date | null;
  dwell_seconds: number | null;
  minute: Outcomes;
  minutes: Outcomes;
  hour: Outcomes;
}

const outcomes = (since: string): string =>
  `(SELECT jsonb_build_object('calls', coalesce(sum(o.calls), 0), 'faults', coalesce(sum(o.faults), 0), 'reports', coalesce(sum(o.reports), 0),
      'undelivered', coalesce(sum(o.undelivered), 0))
    FROM gateway_outcomes o WHERE o.config_id = w.config_id AND o.minute >= to_timestamp(${since} / 1000.0))`;

/** Those that something went wrong with of late, and those that are on their way back. */
const LOOK = `
  WITH wanted AS (
    SELECT config_id FROM gateway_outcomes WHERE minute >= to_timestamp($2 / 1000.0) AND (faults > 0 OR undelivered > 0)
    UNION SELECT config_id FROM gateway_budgets
  )
  SELECT w.config_id, c.client_id, c.provider, c.channel, c.status,
         coalesce((t.settings->>'error_budget_objective')::float8, ${DEFAULT_ERROR_BUDGET_OBJECTIVE}) AS objective,
         b.step, b.burn_rate, b.since, b.step_since, b.dwell_seconds,
         ${outcomes('$1')} AS minute, ${outcomes('$2')} AS minutes, ${outcomes('$3')} AS hour
  FROM wanted w JOIN provider_configs c ON c.id = w.config_id JOIN tenants t ON t.client_id = c.client_id
  LEFT JOIN gateway_budgets b ON b.config_id = w.config_id`;

const USUAL = `
  SELECT config_id, (sum(undelivered + failed)::float8 / sum(delivered + read + undelivered + failed)) AS share
  FROM usage_counters
  WHERE grain = 1440 AND client_id = ANY ($1) AND config_id = ANY ($2) AND bucket >= to_timestamp($3 / 1000.0) AND bucket < to_timestamp($4 / 1000.0)
  GROUP BY 1 HAVING sum(delivered + read + undelivered + failed) >= ${LEAST_USUAL}`;

/**
 * Decides which gateways have lost their place because they burn their error budget, and which are on their way back, by {@link judge}; raises and ends
 * the alert of each. Any number of processes may run it.
 */
export class BudgetKeeper {
  private readonly task: Periodic;
  private cleanedAt = 0;

  constructor(private readonly deps: BudgetKeeperDeps) {
    this.task = new Periodic('gateway budgets', EVERY_MS, () => this.run(), deps.logger);
  }

  start(): void {
    this.task.start();
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** One turn. */
  async run(): Promise<void> {
    const { database, clock, signal } = this.deps;
    const now = clock.now();
    const told = await database.transaction(async (tx) => {
      const [lock] = await tx.query<{ taken: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS taken', [LOCK]);
      return lock?.taken ? this.look(tx, now) : [];
    });
    if (told.length > 0) signal.committed(told);
    if (now - this.cleanedAt < CLEAN_EVERY_MS) return;
    this.cleanedAt = now;
    await database.execute('DELETE FROM gateway_outcomes WHERE minute < to_timestamp($1 / 1000.0)', [now - KEEP_MS]);
  }

  /** @returns tenants that something is told to */
  private async look(tx: Transaction, now: number): Promise<string[]> {
    const minute = Math.floor(now / MINUTE_MS) * MINUTE_MS;
    const looked = await tx.query<LookedAt>(LOOK, [
      minute - MINUTE_MS,
      minute - 5 * MINUTE_MS,
      minute - 60 * MINUTE_MS,
    ]);
    const usual = await this.usual(
      tx,
      looked.filter(({ hour }) => hour.undelivered > 0),
      now,
    );
    const told: string[] = [];
    for (const row of looked) {
      const before = degradedOf(row);
      const windows: Windows = { lastMinute: row.minute, last5Minutes: row.minutes, lastHour: row.hour };
      const expected = {
        objective: row.objective,
        usuallyUndelivered: usual.get(row.config_id) ?? USUALLY_UNDELIVERED,
      };
      const isUsed = row.status === 'active' || row.status === 'error';
      const after = isUsed ? judge(before, windows, expected, now) : null;
      if (before === null && after === null) continue;
      await this.write(tx, row, after);
      if (before?.step === after?.step) continue;
      await this.deps.feed.publish(tx, BUDGETS_CHANGED, row.client_id);
      if (before === null || after === null) {
        await this.tell(tx, row, after, now);
        told.push(row.client_id);
      }
    }
    return told;
  }

  private async usual(tx: Transaction, rows: readonly LookedAt[], now: number): Promise<Map<string, number>> {
    if (rows.length === 0) return new Map();
    const today = Math.floor(now / 86_400_000) * 86_400_000;
    const found = await tx.query<{ config_id: string; share: number }>(USUAL, [
      [...new Set(rows.map(({ client_id }) => client_id))],
      rows.map(({ config_id }) => config_id),
      today - USUAL_DAYS * 86_400_000,
      today,
    ]);
    return new Map(found.map(({ config_id, share }) => [config_id, share]));
  }

  private async write(tx: Transaction, { config_id, client_id }: LookedAt, after: Degraded | null): Promise<void> {
    if (after === null) {
      await tx.execute('DELETE FROM gateway_budgets WHERE config_id = $1', [config_id]);
      return;
    }
    await tx.execute(
      `INSERT INTO gateway_budgets (config_id, client_id, step, burn_rate, since, step_since, dwell_seconds)
       VALUES ($1, $2, $3, $4, to_timestamp($5 / 1000.0), to_timestamp($6 / 1000.0), $7)
       ON CONFLICT (config_id) DO UPDATE
       SET step = excluded.step, burn_rate = excluded.burn_rate, step_since = excluded.step_since, dwell_seconds = excluded.dwell_seconds`,
      [config_id, client_id, after.step, after.burnRate, after.since, after.stepSince, after.dwellMs / 1000],
    );
  }

  private async tell(tx: Transaction, row: LookedAt, after: Degraded | null, now: number): Promise<void> {
    const { client_id: clientId, config_id: subject, provider, channel } = row;
    const alert = { clientId, alert: 'error_budget_burning', subject, occurredAt: now } as const;
    if (after === null) {
      await this.deps.alerts.clear(tx, { ...alert, detail: `${provider} has its place back.` });
      return;
    }
    const rate = Math.round(after.burnRate * 10) / 10;
    await this.deps.alerts.raise(tx, {
      ...alert,
      detail: `${provider} fails ${rate} times more often than its error budget allows. Other gateways are asked before it until it works again.`,
      data: { config_id: subject, gateway: provider, channel, burn_rate: rate },
    });
  }
}

function degradedOf({ step, burn_rate, since, step_since, dwell_seconds }: LookedAt): Degraded | null {
  if (step === null) return null;
  return {
    step,
    burnRate: burn_rate!,
    since: since!.getTime(),
    stepSince: step_since!.getTime(),
    dwellMs: dwell_seconds! * 1000,
  };
}
