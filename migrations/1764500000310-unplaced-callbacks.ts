import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Finds the callbacks of messages that came to a number of nobody, once the number is the tenant's: they are matched then. */
export class UnplacedCallbacks1764500000310 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // What waits for a message of ours has a time until which it is tried again; what came from a person has none.
    await runner.query(`
      CREATE INDEX provider_events_unplaced ON provider_events (client_id, created_at) WHERE state = 'unmatched' AND retry_until IS NULL
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX provider_events_unplaced');
  }
}
