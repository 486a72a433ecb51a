import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whom a tenant must not write to by a channel. */
export class Suppressions1763800600100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE suppressions (
        id text NOT NULL,
        client_id text NOT NULL,
        channel text NOT NULL,
        -- As lists spell it: E.164 for numbers, lower case for addresses.
        recipient text NOT NULL,
        reason text NOT NULL CHECK (reason IN ('stop', 'hard_bounce', 'complaint', 'unsubscribe', 'unregistered', 'manual')),
        source text NOT NULL CHECK (source IN ('api', 'import', 'inbound', 'provider')),
        -- The word that was written, the provider's code, or a note.
        detail text,
        -- The message that led to it.
        message_id text,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (client_id, channel, recipient)
      );
      CREATE UNIQUE INDEX suppressions_by_id ON suppressions (client_id, id);
      SELECT unimsg_fence('suppressions');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE suppressions');
  }
}
