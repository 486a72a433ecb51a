import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How each message counts. */
const COUNTED = `
  SELECT client_id, date_bin('15 minutes', created_at, 'epoch') AS bucket, channel, status, segments, engagement AS e, cost_currency, cost_amount,
         coalesce(config_id, CASE WHEN status = 'failed' THEN attempts -> -1 ->> 'config_id' END, '') AS counted_config,
         CASE WHEN status IN ('sent', 'delivered', 'read', 'undelivered', 'failed', 'expired', 'canceled') THEN status END AS counted_status
  FROM messages`;

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
    // What was sent before counts too: a later change of such a message takes it from where it is counted.
    await runner.query(`
      SET LOCAL statement_timeout = 0;
      INSERT INTO usage_deltas (client_id, bucket, config_id, channel, status, messages, segments, opens, unique_opens, machine_opens, clicks,
        unique_clicks, machine_clicks, bounces, complaints, unsubscribes)
      SELECT client_id, bucket, counted_config, channel, counted_status, count(counted_status),
             coalesce(sum(segments) FILTER (WHERE status IN ('sent', 'delivered', 'read', 'undelivered', 'failed')), 0),
             coalesce(sum((e ->> 'opens')::int), 0), count(e ->> 'first_opened_at'), coalesce(sum((e ->> 'machine_opens')::int), 0),
             coalesce(sum((e ->> 'clicks')::int), 0), count(e ->> 'first_clicked_at'), coalesce(sum((e ->> 'machine_clicks')::int), 0),
             coalesce(sum((e ->> 'bounces')::int), 0), coalesce(sum((e ->> 'complaints')::int), 0), coalesce(sum((e ->> 'unsubscribes')::int), 0)
      FROM (${COUNTED}) m WHERE counted_status IS NOT NULL OR e IS NOT NULL
      GROUP BY 1, 2, 3, 4, 5;
      INSERT INTO usage_deltas (client_id, bucket, config_id, channel, currency, amount)
      SELECT client_id, bucket, counted_config, channel, cost_currency, sum(cost_amount)
      FROM (${COUNTED}) m WHERE cost_currency IS NOT NULL AND cost_amount IS NOT NULL
      GROUP BY 1, 2, 3, 4, 5;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE usage_costs, usage_counters, usage_deltas');
  }
}
