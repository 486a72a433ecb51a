import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who wants which reports of usage, the reports that were made, and the mails with them. */
export class UsageReports1763900600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE report_schedules (
        id text PRIMARY KEY,
        -- Null: the operator's, over all tenants.
        client_id text,
        period text NOT NULL CHECK (period IN ('daily', 'weekly', 'monthly')),
        time_zone text NOT NULL,
        -- HH:MM by the clocks of the zone.
        at text NOT NULL,
        format text NOT NULL CHECK (format IN ('csv', 'json')),
        -- [{type: 'email', to} | {type: 'webhook'}]
        deliver jsonb NOT NULL,
        -- The first instant that no report of it covers yet: where the next period begins.
        next_from timestamptz NOT NULL,
        next_due_at timestamptz NOT NULL,
        -- Set when a report could not be made: not before.
        retry_at timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      );
      CREATE INDEX report_schedules_by_tenant ON report_schedules (client_id, id);
      CREATE INDEX report_schedules_due ON report_schedules (next_due_at);
      SELECT unimsg_fence('report_schedules');

      -- Outlives its schedule.
      CREATE TABLE usage_reports (
        id text PRIMARY KEY,
        client_id text,
        schedule_id text NOT NULL,
        period text NOT NULL,
        time_zone text NOT NULL,
        period_start timestamptz NOT NULL,
        period_end timestamptz NOT NULL,
        format text NOT NULL,
        generated_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        -- As it is downloaded; json, not jsonb, since its fields keep their order.
        document json NOT NULL,
        -- Its figures in sum, so that a list need not read the documents.
        totals json NOT NULL,
        UNIQUE (schedule_id, period_start)
      );
      CREATE INDEX usage_reports_by_tenant ON usage_reports (client_id, id);
      CREATE INDEX usage_reports_expiry ON usage_reports (expires_at);
      SELECT unimsg_fence('usage_reports');

      CREATE TABLE report_deliveries (
        id text PRIMARY KEY,
        client_id text,
        report_id text NOT NULL REFERENCES usage_reports (id) ON DELETE CASCADE,
        -- Place in the schedule's list.
        position smallint NOT NULL,
        type text NOT NULL CHECK (type IN ('email', 'webhook')),
        recipient text,
        -- Of a webhook: the event that tells of it.
        event_id text,
        status text NOT NULL CHECK (status IN ('pending', 'sent', 'failed')),
        attempts smallint NOT NULL DEFAULT 0,
        -- While a process is at it: when another one may take it.
        next_attempt_at timestamptz,
        -- Every try that ended: [{at, latency_ms, error?, reply?}]
        attempt_log jsonb NOT NULL DEFAULT '[]',
        updated_at timestamptz NOT NULL,
        UNIQUE (report_id, position)
      );
      CREATE INDEX report_deliveries_due ON report_deliveries (next_attempt_at) WHERE status = 'pending';
      SELECT unimsg_fence('report_deliveries');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE report_deliveries, usage_reports, report_schedules');
  }
}
