import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tenants and their API keys. */
export class Tenancy1763800200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE tenants (
        client_id text PRIMARY KEY,
        name text NOT NULL,
        slug text NOT NULL,
        status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
        quotas jsonb NOT NULL DEFAULT '{}',
        -- Which of the operator's env: and file: secrets the tenant may name; * stands for any text.
        allowed_secret_refs text[] NOT NULL DEFAULT '{}',
        -- Sealed.
        webhook_signing_secret text NOT NULL,
        settings jsonb NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      );
      CREATE INDEX tenants_by_time ON tenants (created_at, client_id);
      CREATE INDEX tenants_by_slug ON tenants (slug);
      SELECT unimsg_fence('tenants');

      CREATE TABLE api_keys (
        id text PRIMARY KEY,
        client_id text NOT NULL REFERENCES tenants (client_id),
        name text NOT NULL,
        -- SHA-256 of the key. The key has 256 random bits, so a slow hash would add nothing.
        hash bytea NOT NULL UNIQUE,
        scopes text[] NOT NULL,
        sandbox boolean NOT NULL DEFAULT false,
        expires_at timestamptz,
        created_at timestamptz NOT NULL,
        last_used_at timestamptz
      );
      CREATE INDEX api_keys_by_tenant ON api_keys (client_id, id);
      SELECT unimsg_fence('api_keys');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE api_keys, tenants');
  }
}
