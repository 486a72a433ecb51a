import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Erasures of persons with their receipts, and how far each tenant's retention has come. */
export class Privacy1763900800100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- What a tenant's hashes of persons are made with: without it nobody can try all numbers.
      CREATE TABLE privacy_keys (
        client_id text PRIMARY KEY REFERENCES tenants (client_id),
        -- Sealed.
        hash_key text NOT NULL,
        created_at timestamptz NOT NULL
      );
      SELECT unimsg_fence('privacy_keys');

      CREATE TABLE erasures (
        id text PRIMARY KEY,
        client_id text NOT NULL REFERENCES tenants (client_id),
        -- As the erased records show the person.
        recipient_hash text NOT NULL,
        -- Sealed; null as soon as it is not needed any more.
        recipient text,
        state text NOT NULL CHECK (state IN ('running', 'completed')),
        -- Where the work goes on.
        step text NOT NULL,
        cursor text[] NOT NULL DEFAULT '{}',
        counts jsonb NOT NULL DEFAULT '{}',
        -- The process that is at it, by this time.
        lease_until timestamptz,
        created_at timestamptz NOT NULL,
        erased_at timestamptz,
        -- What comes in late is looked for until then, from this callback on.
        watched_until timestamptz,
        watched_from text
      );
      CREATE INDEX erasures_by_tenant ON erasures (client_id, id);
      CREATE INDEX erasures_running ON erasures (lease_until) WHERE state = 'running';
      CREATE INDEX erasures_watched ON erasures (watched_until) WHERE watched_until IS NOT NULL;
      SELECT unimsg_fence('erasures');

      -- Up to where a tenant's records of one kind have lost what is personal.
      CREATE TABLE retention_cursors (
        client_id text NOT NULL REFERENCES tenants (client_id),
        store text NOT NULL,
        cursor text[] NOT NULL,
        PRIMARY KEY (client_id, store)
      );
      SELECT unimsg_fence('retention_cursors');

      -- Messages that were not sent yet when the cursor passed them.
      CREATE TABLE retention_left (
        client_id text NOT NULL REFERENCES tenants (client_id),
        message_id text NOT NULL,
        message_created_at timestamptz NOT NULL,
        PRIMARY KEY (client_id, message_id)
      );
      SELECT unimsg_fence('retention_left');

      CREATE INDEX message_fallbacks_by_recipient ON message_fallbacks (client_id, recipient);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX message_fallbacks_by_recipient;
      DROP TABLE retention_left, retention_cursors, erasures, privacy_keys;
    `);
  }
}
