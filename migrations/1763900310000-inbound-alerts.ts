import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the rules about inbound messages go by. */
export class InboundAlerts1763900310000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Tries to each receiver by the minute that they began in, of the last hour. Written with the results.
      CREATE TABLE receiver_minutes (
        receiver_id text NOT NULL,
        minute timestamptz NOT NULL,
        client_id text NOT NULL,
        tries int NOT NULL,
        failures int NOT NULL,
        -- Answers that took longer than 5 seconds, and the longest.
        slow int NOT NULL,
        slowest_ms int NOT NULL,
        PRIMARY KEY (receiver_id, minute)
      ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
      -- A receiver without trouble is never looked at.
      CREATE INDEX receiver_minutes_of_trouble ON receiver_minutes (minute) WHERE failures > 0 OR slow > 0;
      CREATE INDEX receiver_minutes_by_time ON receiver_minutes (minute);
      SELECT unimsg_fence('receiver_minutes');

      CREATE INDEX inbound_deliveries_dead_of_receiver ON inbound_deliveries (receiver_id) WHERE status = 'dead_letter';

      -- The last one in a provider's own count of what it hands over, by config, and when it came.
      CREATE TABLE provider_sequences (
        config_id text PRIMARY KEY,
        client_id text NOT NULL,
        last_sequence bigint NOT NULL,
        last_at timestamptz NOT NULL
      ) WITH (fillfactor = 50);
      SELECT unimsg_fence('provider_sequences');

      -- Between these two, both of which came, some did not.
      CREATE TABLE sequence_gaps (
        config_id text NOT NULL,
        after_sequence bigint NOT NULL,
        before_sequence bigint NOT NULL,
        client_id text NOT NULL,
        provider text NOT NULL,
        noticed_at timestamptz NOT NULL,
        PRIMARY KEY (config_id, after_sequence)
      );
      SELECT unimsg_fence('sequence_gaps');

      CREATE INDEX inbound_messages_in_sequence ON inbound_messages (id) WHERE provider_sequence IS NOT NULL;

      -- How far each rule has looked; who holds the row is the one process that looks.
      CREATE TABLE alert_watches (
        rule text PRIMARY KEY,
        position text NOT NULL
      );
      INSERT INTO alert_watches VALUES ('receivers', ''), ('sequences', '');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE alert_watches, sequence_gaps, provider_sequences, receiver_minutes;
      DROP INDEX inbound_messages_in_sequence, inbound_deliveries_dead_of_receiver;
    `);
  }
}
