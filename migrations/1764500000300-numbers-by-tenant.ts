import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A number is one tenant's among that tenant's own: nobody learns, or decides, which numbers others have. */
export class NumbersByTenant1764500000300 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The number first: whose a callback is is asked with nothing but the number.
    await runner.query(`
      ALTER TABLE numbers DROP CONSTRAINT numbers_number_channel_key;
      ALTER TABLE numbers ADD CONSTRAINT numbers_number_channel_client_id_key UNIQUE (number, channel, client_id);
    `);
  }

  /** Fails while two tenants have one number. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE numbers DROP CONSTRAINT numbers_number_channel_client_id_key;
      ALTER TABLE numbers ADD CONSTRAINT numbers_number_channel_key UNIQUE (number, channel);
    `);
  }
}
