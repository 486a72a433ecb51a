import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Messages at providers that have to be asked what became of them. */
export class StatusPolls1763800900000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE status_polls (
        message_id text PRIMARY KEY,
        client_id text NOT NULL,
        due_at timestamptz NOT NULL,
        tries int NOT NULL DEFAULT 0
      );
      CREATE INDEX status_polls_due ON status_polls (due_at);
      SELECT unimsg_fence('status_polls');

      -- How far each tenant's events have been looked through for such messages.
      CREATE TABLE status_poll_cursors (
        client_id text PRIMARY KEY,
        tx xid8 NOT NULL,
        seq bigint NOT NULL
      );
      SELECT unimsg_fence('status_poll_cursors');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE status_poll_cursors; DROP TABLE status_polls');
  }
}
