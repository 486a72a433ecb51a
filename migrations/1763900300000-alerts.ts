import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What needs a person: raised once while it lasts, closed when it is over, and the mails that tell of both. */
export class Alerts1763900300000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE alerts (
        id text PRIMARY KEY,
        client_id text NOT NULL,
        -- Stable word.
        alert text NOT NULL,
        -- Id of what it is about, or a number.
        subject text NOT NULL,
        severity text NOT NULL CHECK (severity IN ('warning', 'critical')),
        detail text NOT NULL,
        -- What belongs to this alert alone: shown with it, and part of its events.
        data jsonb NOT NULL,
        raised_at timestamptz NOT NULL,
        last_seen_at timestamptz NOT NULL,
        -- Times it was seen while it lasted.
        count int NOT NULL DEFAULT 1,
        cleared_at timestamptz,
        cleared_detail text
      ) WITH (fillfactor = 80);
      -- Raised once while it lasts, however many processes see it.
      CREATE UNIQUE INDEX alerts_open ON alerts (client_id, alert, subject) WHERE cleared_at IS NULL;
      CREATE INDEX alerts_by_tenant ON alerts (client_id, id);
      CREATE INDEX alerts_cleared ON alerts (cleared_at) WHERE cleared_at IS NOT NULL;
      SELECT unimsg_fence('alerts');

      -- A row a step and audience until it has been told; one that nobody wants to read goes at its turn.
      CREATE TABLE alert_mails (
        alert_id text NOT NULL REFERENCES alerts ON DELETE CASCADE,
        step text NOT NULL CHECK (step IN ('raised', 'cleared')),
        audience text NOT NULL CHECK (audience IN ('tenant', 'operator')),
        client_id text NOT NULL,
        -- Also the end of the lease of the process that is sending it.
        due_at timestamptz NOT NULL,
        tries int NOT NULL DEFAULT 0,
        -- Addresses that have it, or refused it for good.
        told text[] NOT NULL DEFAULT '{}',
        last_error text,
        PRIMARY KEY (alert_id, step, audience)
      ) WITH (fillfactor = 80);
      CREATE INDEX alert_mails_due ON alert_mails (due_at);
      SELECT unimsg_fence('alert_mails');

      -- What lasts already was told of when it began.
      INSERT INTO alerts (id, client_id, alert, subject, severity, detail, data, raised_at, last_seen_at)
      SELECT 'alr_' || substr(id, 5), client_id, 'config_error', id, 'critical', coalesce(last_error->>'message', ''),
        jsonb_build_object('config_id', id, 'gateway', provider, 'channel', channel), coalesce(error_since, updated_at), now()
      FROM provider_configs WHERE status = 'error';
      INSERT INTO alerts (id, client_id, alert, subject, severity, detail, data, raised_at, last_seen_at)
      SELECT 'alr_' || substr(id, 5), client_id, 'webhook_disabled', id, 'critical',
        'Every delivery to this webhook endpoint failed for 5 days, so it was disabled. Events are kept; enable it to receive them.',
        jsonb_build_object('webhook_id', id), coalesce(disabled_at, updated_at), now()
      FROM webhook_endpoints WHERE disabled_reason = 'failing';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE alert_mails, alerts');
  }
}
