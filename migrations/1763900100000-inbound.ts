import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Dedicated numbers, who is told of messages that come to them, those messages, and what became of each at each receiver.
 */
export class Inbound1763900100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE numbers (
        id text PRIMARY KEY,
        client_id text NOT NULL,
        -- E.164, a short code, or the name of a bot.
        number text NOT NULL,
        channel text NOT NULL,
        provider text NOT NULL,
        -- Null: whatever account of the provider the message comes by.
        config_id text,
        description text,
        timeout_seconds int NOT NULL DEFAULT 30,
        retry_delay_seconds int NOT NULL DEFAULT 900,
        max_attempts smallint NOT NULL DEFAULT 3,
        -- The last one that was given out. Moved in the transaction that writes the message, so there is no gap.
        sequence bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        UNIQUE (number, channel)
      ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
      CREATE INDEX numbers_by_tenant ON numbers (client_id, id);
      -- Some providers' messages do not say whom they are to: the account tells it.
      CREATE INDEX numbers_by_config ON numbers (config_id) WHERE config_id IS NOT NULL;
      SELECT unimsg_fence('numbers');

      -- Kept when it is removed: what became of messages there can still be read.
      CREATE TABLE number_receivers (
        id text PRIMARY KEY,
        client_id text NOT NULL,
        number_id text NOT NULL,
        type text NOT NULL CHECK (type IN ('webhook', 'email')),
        url text,
        format text CHECK (format IN ('form', 'json')),
        email text,
        -- The last sequence whose first try was settled. What has a higher one is fresh, so a look at numbers.sequence tells whether there is any.
        cursor_sequence bigint NOT NULL,
        -- Failed tries since the last success, and when the first of them was.
        failures_in_row int NOT NULL DEFAULT 0,
        failing_since timestamptz,
        -- When the first delivery that was tried is due again; null: none is.
        next_retry_at timestamptz,
        -- The process that serves this receiver, and until when unless it renews.
        lane_owner text,
        lane_until timestamptz,
        removed_at timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CHECK ((type = 'webhook') = (url IS NOT NULL) AND (type = 'webhook') = (format IS NOT NULL) AND (type = 'email') = (email IS NOT NULL))
      ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
      CREATE INDEX number_receivers_by_number ON number_receivers (number_id, id);
      SELECT unimsg_fence('number_receivers');

      -- created_at is the time that the id carries.
      CREATE TABLE inbound_messages (
        id text NOT NULL,
        created_at timestamptz NOT NULL,
        client_id text NOT NULL,
        number_id text,
        channel text NOT NULL,
        provider text NOT NULL,
        config_id text NOT NULL,
        external_id text,
        sender text NOT NULL,
        recipient text NOT NULL,
        text text NOT NULL,
        -- The provider's clock where it has one.
        occurred_at timestamptz NOT NULL,
        received_at timestamptz NOT NULL,
        -- Per number, without gaps; null while it is unmatched.
        sequence bigint,
        state text NOT NULL CHECK (state IN ('received', 'unmatched')),
        -- Its event inbound.received: the id that every delivery of it carries.
        event_id text NOT NULL,
        provider_sequence bigint,
        detail jsonb,
        PRIMARY KEY (client_id, id, created_at),
        CHECK ((state = 'received') = (sequence IS NOT NULL) AND (state = 'received') = (number_id IS NOT NULL))
      ) PARTITION BY RANGE (created_at);
      CREATE INDEX inbound_messages_by_recipient ON inbound_messages (client_id, recipient, id);
      CREATE INDEX inbound_messages_by_sender ON inbound_messages (client_id, sender, id);
      CREATE INDEX inbound_messages_unmatched ON inbound_messages (client_id, id) WHERE state = 'unmatched';
      SELECT unimsg_fence('inbound_messages');

      -- One row a message and receiver, written with the message. By the month of the message, so that both are found and go together.
      -- Fresh (never tried): pending, next_attempt_at null, taken in the order of the sequence. Due: pending, by next_attempt_at.
      CREATE TABLE inbound_deliveries (
        id text NOT NULL,
        created_at timestamptz NOT NULL,
        client_id text NOT NULL,
        inbound_id text NOT NULL,
        inbound_created_at timestamptz NOT NULL,
        number_id text NOT NULL,
        receiver_id text NOT NULL,
        type text NOT NULL CHECK (type IN ('webhook', 'email')),
        sequence bigint NOT NULL,
        status text NOT NULL CHECK (status IN ('pending', 'succeeded', 'dead_letter')),
        -- Tries of this round: a redelivery begins a new one.
        attempts smallint NOT NULL DEFAULT 0,
        next_attempt_at timestamptz,
        -- Every try of every round: [{at, latency_ms, status_code?, error?, response?}]
        attempt_log jsonb NOT NULL DEFAULT '[]',
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (inbound_id, receiver_id, inbound_created_at)
      ) PARTITION BY RANGE (inbound_created_at);
      CREATE INDEX inbound_deliveries_fresh ON inbound_deliveries (receiver_id, sequence) WHERE status = 'pending' AND next_attempt_at IS NULL;
      CREATE INDEX inbound_deliveries_due ON inbound_deliveries (receiver_id, next_attempt_at) WHERE status = 'pending' AND next_attempt_at IS NOT NULL;
      CREATE INDEX inbound_deliveries_dead ON inbound_deliveries (client_id, inbound_id) WHERE status = 'dead_letter';
      SELECT unimsg_fence('inbound_deliveries');

      -- Parts of long messages that wait for the others; one row a message. A joined one stays until its time is over, so that repeated parts are known.
      CREATE TABLE inbound_parts (
        config_id text NOT NULL,
        sender text NOT NULL,
        recipient text NOT NULL,
        reference text NOT NULL,
        total smallint NOT NULL,
        client_id text NOT NULL,
        provider text NOT NULL,
        -- By number of the part.
        parts jsonb NOT NULL,
        joined boolean NOT NULL,
        -- The rest is waited for until then.
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (config_id, sender, recipient, reference, total)
      ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
      CREATE INDEX inbound_parts_due ON inbound_parts (expires_at);
      SELECT unimsg_fence('inbound_parts');

      -- For a key that is made of the content, as the provider has no ids: an equal event after this is a new one. Null: never.
      ALTER TABLE provider_event_keys ADD COLUMN expires_at timestamptz;

      SELECT unimsg_make_partitions('inbound_messages', (now() - interval '1 month')::date, 5);
      SELECT unimsg_make_partitions('inbound_deliveries', (now() - interval '1 month')::date, 5, 'WITH (fillfactor = 60)');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE provider_event_keys DROP COLUMN expires_at;
      DROP TABLE inbound_parts, inbound_deliveries, inbound_messages, number_receivers, numbers;
    `);
  }
}
