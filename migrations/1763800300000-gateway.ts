import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tenants' provider accounts, their sealed secrets, their routes, and what the processes know of each account's health. */
export class Gateway1763800300000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE provider_configs (
        id text PRIMARY KEY,
        client_id text NOT NULL,
        provider text NOT NULL,
        channel text NOT NULL,
        display_name text NOT NULL,
        status text NOT NULL CHECK (status IN ('draft', 'active', 'paused', 'error', 'decommissioned')),
        settings jsonb NOT NULL,
        -- References to secrets and plain values; never a secret.
        credentials jsonb NOT NULL,
        -- sha256 of the credential that tells the account: finds the config of a callback without config id.
        account_fingerprint text,
        -- The token in callback URLs, sealed.
        callback_token text NOT NULL,
        max_per_second double precision CHECK (max_per_second > 0),
        version int NOT NULL DEFAULT 1,
        last_error jsonb,
        error_since timestamptz,
        error_version int,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        activated_at timestamptz
      );
      CREATE INDEX provider_configs_by_tenant ON provider_configs (client_id, provider, id);
      CREATE INDEX provider_configs_by_account ON provider_configs (provider, account_fingerprint) WHERE account_fingerprint IS NOT NULL;
      CREATE INDEX provider_configs_in_error ON provider_configs (error_since) WHERE status = 'error';
      SELECT unimsg_fence('provider_configs');

      CREATE TABLE secrets (
        id text PRIMARY KEY,
        client_id text NOT NULL,
        -- The config that it was given for. It stays when that is decommissioned: reports that arrive late are still proved by it.
        config_id text NOT NULL REFERENCES provider_configs (id) DEFERRABLE INITIALLY DEFERRED,
        sealed text NOT NULL,
        created_at timestamptz NOT NULL
      );
      CREATE INDEX secrets_by_config ON secrets (config_id);
      SELECT unimsg_fence('secrets');

      CREATE TABLE gateway_routes (
        client_id text PRIMARY KEY,
        document jsonb NOT NULL,
        version int NOT NULL DEFAULT 1,
        updated_at timestamptz NOT NULL
      );
      SELECT unimsg_fence('gateway_routes');

      -- What one process knows of a config's health; other processes show it. Rows of processes that are gone grow stale and are dropped.
      CREATE TABLE gateway_states (
        config_id text NOT NULL REFERENCES provider_configs (id) ON DELETE CASCADE,
        process_id text NOT NULL,
        client_id text NOT NULL,
        circuit text NOT NULL CHECK (circuit IN ('closed', 'open', 'half_open')),
        circuit_open_until timestamptz,
        rate_blocked_until timestamptz,
        reported_at timestamptz NOT NULL,
        PRIMARY KEY (config_id, process_id)
      );
      CREATE INDEX gateway_states_by_tenant ON gateway_states (client_id);
      SELECT unimsg_fence('gateway_states');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE gateway_states, gateway_routes, secrets, provider_configs');
  }
}
