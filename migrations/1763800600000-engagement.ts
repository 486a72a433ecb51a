import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What recipients did with an email: counted in the message, so that reading it needs no walk over its events. */
export class Engagement1763800600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Null until something is reported. On the parent, so every partition has it.
    await runner.query('ALTER TABLE messages ADD COLUMN engagement jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE messages DROP COLUMN engagement');
  }
}
