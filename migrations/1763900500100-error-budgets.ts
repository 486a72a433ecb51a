import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How calls of each config ended, by the minute, and the configs that burn their error budget. */
export class ErrorBudgets1763900500100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Kept for two hours.
      CREATE TABLE gateway_outcomes (
        config_id text NOT NULL,
        minute timestamptz NOT NULL,
        client_id text NOT NULL,
        calls int NOT NULL,
        -- Of the calls, those that failed by the provider's or the account's fault.
        faults int NOT NULL,
        -- Messages of which the provider reported their end.
        reports int NOT NULL,
        undelivered int NOT NULL,
        PRIMARY KEY (config_id, minute)
      ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.1);
      CREATE INDEX gateway_outcomes_by_time ON gateway_outcomes (minute);
      CREATE INDEX gateway_outcomes_bad ON gateway_outcomes (minute) WHERE faults > 0 OR undelivered > 0;
      SELECT unimsg_fence('gateway_outcomes');

      -- Only those that are not at their full weight.
      CREATE TABLE gateway_budgets (
        config_id text PRIMARY KEY,
        client_id text NOT NULL,
        step smallint NOT NULL,
        burn_rate double precision NOT NULL,
        since timestamptz NOT NULL,
        step_since timestamptz NOT NULL,
        -- How long each step of its return takes.
        dwell_seconds int NOT NULL
      );
      SELECT unimsg_fence('gateway_budgets');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE gateway_budgets, gateway_outcomes');
  }
}
