import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Where tenants want their events, how far each endpoint has been told, and what came of each event there.
 */
export class Webhooks1763800500000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE webhook_endpoints (
        id text PRIMARY KEY,
        client_id text NOT NULL,
        url text NOT NULL,
        events text[] NOT NULL,
        description text,
        enabled boolean NOT NULL,
        format text NOT NULL CHECK (format IN ('json', 'form')),
        -- Sealed. The previous secret signs too until its time is over.
        secret text NOT NULL,
        previous_secret text,
        previous_secret_until timestamptz,
        -- The last event that was handed over, in the order (tx, seq) of the events table.
        cursor_tx xid8 NOT NULL,
        cursor_seq bigint NOT NULL,
        -- No event behind the cursor was created before this; keeps readers out of old partitions.
        cursor_floor timestamptz NOT NULL,
        -- Failed tries since the last success, and when the first of them was.
        failures_in_row int NOT NULL DEFAULT 0,
        failing_since timestamptz,
        -- When the first pending delivery is due; null: nothing is pending.
        next_retry_at timestamptz,
        disabled_at timestamptz,
        disabled_reason text,
        -- The process that serves this endpoint, and until when unless it renews.
        lane_owner text,
        lane_until timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
      CREATE INDEX webhook_endpoints_by_tenant ON webhook_endpoints (client_id, id);
      SELECT unimsg_fence('webhook_endpoints');

      -- One row an endpoint and event, written after the first try. created_at is the time that the id carries.
      CREATE TABLE webhook_deliveries (
        id text NOT NULL,
        created_at timestamptz NOT NULL,
        client_id text NOT NULL,
        endpoint_id text NOT NULL,
        event_id text NOT NULL,
        event_created_at timestamptz NOT NULL,
        event_tx xid8 NOT NULL,
        event_seq bigint NOT NULL,
        event_type text NOT NULL,
        message_id text,
        status text NOT NULL CHECK (status IN ('pending', 'succeeded', 'dead_letter')),
        -- Tries of this round: a replay begins a new one.
        attempts smallint NOT NULL,
        -- 'infinity': waits for an earlier event of the same message.
        next_attempt_at timestamptz,
        -- Every try of every round: [{at, latency_ms, status_code?, error?, response?}]
        attempt_log jsonb NOT NULL,
        updated_at timestamptz NOT NULL,
        -- Serves the look-up by id and the list of an endpoint, so that a delivery costs one index entry.
        PRIMARY KEY (endpoint_id, id, created_at)
      ) PARTITION BY RANGE (created_at);
      CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_attempt_at) WHERE status = 'pending';
      CREATE INDEX webhook_deliveries_order ON webhook_deliveries (endpoint_id, message_id, event_tx, event_seq) WHERE status = 'pending';
      SELECT unimsg_fence('webhook_deliveries');

      SELECT unimsg_make_partitions('webhook_deliveries', (now() - interval '1 month')::date, 5, 'WITH (fillfactor = 90)');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE webhook_deliveries, webhook_endpoints');
  }
}
