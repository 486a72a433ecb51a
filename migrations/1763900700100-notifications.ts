import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Notifications: what a template says to many recipients, one message a recipient and channel. */
export class Notifications1763900700100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE notifications (
        id text PRIMARY KEY,
        client_id text NOT NULL REFERENCES tenants (client_id),
        template_id text NOT NULL,
        template_version int NOT NULL,
        -- storing (not answered yet), queued, processing, completed, canceling, canceled
        state text NOT NULL,
        prefix text NOT NULL,
        options json NOT NULL,
        recipients int NOT NULL,
        -- Messages to make, by channel.
        planned json NOT NULL,
        -- What came of them so far; the rest is to be done.
        accepted int NOT NULL DEFAULT 0,
        replayed int NOT NULL DEFAULT 0,
        already_sent int NOT NULL DEFAULT 0,
        rejected int NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL,
        started_at timestamptz,
        finished_at timestamptz,
        -- Who cancels its messages.
        lease_until timestamptz
      );
      CREATE INDEX notifications_by_tenant ON notifications (client_id, id);
      CREATE INDEX notifications_open ON notifications (state, client_id, id) WHERE state NOT IN ('completed', 'canceled');
      SELECT unimsg_fence('notifications');

      CREATE TABLE notification_recipients (
        notification_id text NOT NULL,
        position int NOT NULL,
        client_id text NOT NULL,
        recipient_id text NOT NULL,
        locale text,
        channels text[] NOT NULL,
        -- Addresses and data; gone as soon as they are in messages.
        body json,
        -- pending, done, canceled
        state text NOT NULL,
        due_at timestamptz NOT NULL,
        -- A process that has it in hand; when that dies, another one takes it after this time.
        lease_until timestamptz,
        tries int NOT NULL DEFAULT 0,
        PRIMARY KEY (notification_id, position)
      ) WITH (fillfactor = 70);
      CREATE INDEX notification_recipients_due ON notification_recipients (notification_id, due_at, position) WHERE state = 'pending';
      CREATE INDEX notification_recipients_by_id ON notification_recipients (notification_id, recipient_id);
      SELECT unimsg_fence('notification_recipients');

      -- What came of one recipient on one channel. Its status is the message's.
      CREATE TABLE notification_items (
        notification_id text NOT NULL,
        position int NOT NULL,
        channel text NOT NULL,
        client_id text NOT NULL,
        -- accepted, replayed, already_sent, rejected
        outcome text NOT NULL,
        message_id text,
        message_created_at timestamptz,
        error json,
        PRIMARY KEY (notification_id, position, channel)
      );
      SELECT unimsg_fence('notification_items');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE notification_items; DROP TABLE notification_recipients; DROP TABLE notifications');
  }
}
