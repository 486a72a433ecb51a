import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which process holds the connections of each account that allows one set of them. */
export class Sessions1763800700000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE gateway_sessions (
        config_id text PRIMARY KEY REFERENCES provider_configs (id) ON DELETE CASCADE,
        client_id text NOT NULL,
        -- The process, and until when unless it renews.
        owner text NOT NULL,
        lease_until timestamptz NOT NULL,
        -- What the owner last found; other processes show it.
        state text NOT NULL CHECK (state IN ('opening', 'open', 'failed')),
        error text,
        error_class text CHECK (error_class IN ('config', 'transient')),
        updated_at timestamptz NOT NULL
      ) WITH (fillfactor = 50);
      SELECT unimsg_fence('gateway_sessions');
      CREATE INDEX provider_configs_active ON provider_configs (provider) WHERE status = 'active';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX provider_configs_active; DROP TABLE gateway_sessions');
  }
}
