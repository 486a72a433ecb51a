import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How much of their quotas tenants and configs have used, and the quotas of configs. */
export class Quotas1763900500000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE provider_configs ADD COLUMN quotas jsonb;

      -- One row a quota: the period that runs. A row of another period or time zone is opened anew, with what was accepted since its start.
      CREATE TABLE quota_usage (
        client_id text NOT NULL,
        -- Empty: the tenant's own quota; else the config's id.
        scope text NOT NULL,
        period text NOT NULL CHECK (period IN ('daily', 'monthly')),
        period_start timestamptz NOT NULL,
        time_zone text NOT NULL,
        used bigint NOT NULL,
        -- The limits that the two events of this period told of.
        warned_limit bigint,
        exceeded_limit bigint,
        PRIMARY KEY (client_id, scope, period)
      ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
      SELECT unimsg_fence('quota_usage');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE quota_usage; ALTER TABLE provider_configs DROP COLUMN quotas');
  }
}
