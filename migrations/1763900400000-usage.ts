import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What tenants have sent, counted: changes as they happen, and the counters that they are added to. */
export class Usage1763900400000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- What a transaction changed in the figures, in as few rows as it takes; deleted when it is added to the counters. The order of seq is that of
      -- the changes to one message, so the sequence must hand out its numbers one by one.
      CREATE TABLE usage_deltas (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        client_id text NOT NULL,
        -- The quarter of an hour in which the messages were accepted.
        bucket timestamptz NOT NULL,
        -- '': no gateway was asked.
        config_id text NOT NULL,
        channel text NOT NULL,
        -- 'messages' counts messages of this status.
        status text,
        messages int NOT NULL DEFAULT 0,
        segments int NOT NULL DEFAULT 0,
        opens int NOT NULL DEFAULT 0,
        unique_opens int NOT NULL DEFAULT 0,
        machine_opens int NOT NULL DEFAULT 0,
        clicks int NOT NULL DEFAULT 0,
        unique_clicks int NOT NULL DEFAULT 0,
        machine_clicks int NOT NULL DEFAULT 0,
        bounces int NOT NULL DEFAULT 0,
        complaints int NOT NULL DEFAULT 0,
        unsubscribes int NOT NULL DEFAULT 0,
        inbound int NOT NULL DEFAULT 0,
        currency text,
        amount numeric,
        created_at timestamptz NOT NULL DEFAULT now()
      ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
      CREATE INDEX usage_deltas_by_tenant ON usage_deltas (client_id);
      SELECT unimsg_fence('usage_deltas');

      -- Each figure several times: by quarter of an hour, hour, four hours and day of UTC, so that a long period is read from few rows whatever its
      -- time zone.
      CREATE TABLE usage_counters (
        client_id text NOT NULL,
        -- Minutes: 15, 60, 240 or 1440.
        grain smallint NOT NULL,
        bucket timestamptz NOT NULL,
        config_id text NOT NULL,
        channel text NOT NULL,
        sent int NOT NULL,
        delivered int NOT NULL,
        read int NOT NULL,
        undelivered int NOT NULL,
        failed int NOT NULL,
        expired int NOT NULL,
        canceled int NOT NULL,
        segments int NOT NULL,
        opens int NOT NULL,
        unique_opens int NOT NULL,
        machine_opens int NOT NULL,
        clicks int NOT NULL,
        unique_clicks int NOT NULL,
        machine_clicks int NOT NULL,
        bounces int NOT NULL,
        complaints int NOT NULL,
        unsubscribes int NOT NULL,
        inbound int NOT NULL,
        PRIMARY KEY (client_id, grain, bucket, config_id, channel)
      ) WITH (fillfactor = 70);
      SELECT unimsg_fence('usage_counters');

      CREATE TABLE usage_costs (
        client_id text NOT NULL,
        grain smallint NOT NULL,
        bucket timestamptz NOT NULL,
        config_id text NOT NULL,
        channel text NOT NULL,
        currency text NOT NULL,
        amount numeric NOT NULL,
        PRIMARY KEY (client_id, grain, bucket, config_id, channel, currency)
      ) WITH (fillfactor = 70);
      SELECT unimsg_fence('usage_costs');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE usage_costs, usage_counters, usage_deltas');
  }
}
