import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What is to be sent by another channel when a message is not delivered in time. */
export class Fallbacks1763800600200 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE message_fallbacks (
        message_id text NOT NULL,
        message_created_at timestamptz NOT NULL,
        -- From 0, in the order of the request.
        position smallint NOT NULL,
        client_id text NOT NULL,
        channel text NOT NULL,
        recipient text NOT NULL,
        after_seconds int NOT NULL,
        -- The fields of the send; null once it is decided.
        body jsonb,
        -- held: waits for the one before it
        state text NOT NULL CHECK (state IN ('held', 'waiting', 'sent', 'skipped', 'failed')),
        due_at timestamptz,
        -- The message whose failure brings it on at once: the one that was sent last.
        watched text NOT NULL,
        watched_created_at timestamptz NOT NULL,
        -- A process is at it until then.
        lease_until timestamptz,
        sent_message_id text,
        sent_at timestamptz,
        error jsonb,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (message_id, position)
      );
      CREATE INDEX message_fallbacks_due ON message_fallbacks (due_at) WHERE state = 'waiting';
      CREATE INDEX message_fallbacks_waiting ON message_fallbacks (message_id, position) WHERE state = 'waiting';
      CREATE INDEX message_fallbacks_sent ON message_fallbacks (client_id, sent_message_id) WHERE sent_message_id IS NOT NULL;
      SELECT unimsg_fence('message_fallbacks');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE message_fallbacks');
  }
}
