import type { Clock } from '../../kernel/clock';
import type { Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { type Database, statement } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import type { Outcomes } from './budget.policy';

const EVERY_MS = 1_000;
const MINUTE_MS = 60_000;
/** Minutes of configs that wait to be written while the database is away; what is more is forgotten. */
const MOST_WAITING = 20_000;

const ADD = statement(
  'gateway_outcomes.add',
  `INSERT INTO gateway_outcomes AS o (config_id, minute, client_id, calls, faults, reports, undelivered)
   SELECT config_id, to_timestamp(at / 1000.0), client_id, calls, faults, reports, undelivered
   FROM unnest($1::text[], $2::float8[], $3::text[], $4::int[], $5::int[], $6::int[], $7::int[])
     AS i(config_id, at, client_id, calls, faults, reports, undelivered)
   -- In one order everywhere: two processes must not wait for each other's rows.
   ORDER BY config_id, at
   ON CONFLICT (config_id, minute) DO UPDATE SET calls = o.calls + excluded.calls, faults = o.faults + excluded.faults,
     reports = o.reports + excluded.reports, undelivered = o.undelivered + excluded.undelivered`,
);

type Row = Outcomes & { clientId: string; configId: string; minute: number };

/** Counts what comes of calls and messages in this process, and adds it to what all processes count, once a second. */
export class OutcomeRecorder {
  private rows = new Map<string, Row>();
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    logger: Logger,
  ) {
    this.task = new Periodic('gateway outcomes', EVERY_MS, () => this.flush(), logger);
  }

  start(): void {
    this.task.start();
  }

  async stop(): Promise<void> {
    await this.task.stop();
    await this.flush();
  }

  /** A call ended. @param fault by the provider's or the account's fault */
  called(clientId: string, configId: string, fault: boolean): void {
    const row = this.row(clientId, configId);
    row.calls += 1;
    if (fault) row.faults += 1;
  }

  /** The provider reported how a message ended. */
  reported(clientId: string, configId: string, arrived: boolean): void {
    const row = this.row(clientId, configId);
    row.reports += 1;
    if (!arrived) row.undelivered += 1;
  }

  async flush(): Promise<void> {
    if (this.rows.size === 0) return;
    const rows = [...this.rows.values()];
    this.rows = new Map();
    try {
      await this.database.execute(ADD, [
        textArray(rows.map(({ configId }) => configId)),
        plainArray(rows.map(({ minute }) => minute)),
        textArray(rows.map(({ clientId }) => clientId)),
        plainArray(rows.map(({ calls }) => calls)),
        plainArray(rows.map(({ faults }) => faults)),
        plainArray(rows.map(({ reports }) => reports)),
        plainArray(rows.map(({ undelivered }) => undelivered)),
      ]);
    } catch (error) {
      for (const row of rows) this.putBack(row);
      throw error;
    }
  }

  private row(clientId: string, configId: string): Row {
    const minute = Math.floor(this.clock.now() / MINUTE_MS) * MINUTE_MS;
    const key = `${configId} ${minute}`;
    let row = this.rows.get(key);
    if (!row) {
      row = { clientId, configId, minute, calls: 0, faults: 0, reports: 0, undelivered: 0 };
      if (this.rows.size < MOST_WAITING) this.rows.set(key, row);
    }
    return row;
  }

  private putBack(row: Row): void {
    const key = `${row.configId} ${row.minute}`;
    const other = this.rows.get(key);
    if (!other) {
      if (this.rows.size < MOST_WAITING) this.rows.set(key, row);
      return;
    }
    other.calls += row.calls;
    other.faults += row.faults;
    other.reports += row.reports;
    other.undelivered += row.undelivered;
  }
}
