import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The message record, what waits to be sent, idempotency keys, the providers' ids, the events of messages, and the providers' callbacks.
 */
export class Messages1763800400000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- created_at is the time that the id carries, so a look-up by id names its partition.
      CREATE TABLE messages (
        id text NOT NULL,
        created_at timestamptz NOT NULL,
        client_id text NOT NULL,
        channel text NOT NULL,
        status text NOT NULL,
        recipient text NOT NULL,
        sender text,
        content jsonb NOT NULL,
        priority smallint NOT NULL,
        provider text,
        reference text,
        tags text[],
        metadata jsonb,
        encoding text,
        segments smallint,
        send_at timestamptz,
        expires_at timestamptz NOT NULL,
        gateway text,
        config_id text,
        external_id text,
        parts jsonb,
        attempts jsonb NOT NULL DEFAULT '[]',
        cost_amount numeric,
        cost_currency text,
        error_code text,
        error_message text,
        possible_duplicate boolean NOT NULL DEFAULT false,
        -- Grows with each write; a writer names the one that it has seen.
        version int NOT NULL DEFAULT 0,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (id, created_at)
      ) PARTITION BY RANGE (created_at);
      -- Nothing that changes is in an index, so a status update stays on its page (fillfactor of the partitions).
      CREATE INDEX messages_by_tenant ON messages (client_id, created_at, id);
      CREATE INDEX messages_by_recipient ON messages (client_id, recipient, id);
      CREATE INDEX messages_by_reference ON messages (client_id, reference) WHERE reference IS NOT NULL;
      CREATE INDEX messages_by_tag ON messages USING gin (tags) WHERE tags IS NOT NULL;
      SELECT unimsg_fence('messages');

      -- What is accepted and not with a provider yet; a row leaves when the message is sent or final.
      CREATE TABLE message_queue (
        message_id text PRIMARY KEY,
        message_created_at timestamptz NOT NULL,
        client_id text NOT NULL,
        -- The config that is asked first: messages of one lane share its rate limit and its circuit.
        lane text NOT NULL,
        priority smallint NOT NULL,
        due_at timestamptz NOT NULL,
        waiting_on text,
        -- The process that has it in hand, since when. Not in an index: claims stay on their page.
        claimed_by text,
        claimed_at timestamptz,
        -- Rounds through all candidates that ended without success.
        rounds int NOT NULL DEFAULT 0,
        -- Configs tried in this round.
        tried text[] NOT NULL DEFAULT '{}',
        -- An attempt whose outcome is not known: since when, at which config, and when reconciling ends.
        unknown_since timestamptz,
        unknown_config text,
        reconcile_until timestamptz
      ) WITH (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
      CREATE INDEX message_queue_ready ON message_queue (client_id, lane, priority, due_at);
      SELECT unimsg_fence('message_queue');

      CREATE TABLE idempotency_keys (
        client_id text NOT NULL,
        key text NOT NULL,
        body_hash bytea NOT NULL,
        message_id text NOT NULL,
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (client_id, key)
      );
      CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys USING brin (expires_at);
      SELECT unimsg_fence('idempotency_keys');

      -- A provider's id says nothing about the month, so it is mapped here.
      CREATE TABLE external_ids (
        config_id text NOT NULL,
        external_id text NOT NULL,
        message_id text NOT NULL,
        PRIMARY KEY (config_id, external_id)
      );

      -- What happened, one row a fact: the time line of a message, the feed of GET /v1/events and the source of webhook deliveries.
      CREATE SEQUENCE events_seq CACHE 50;
      CREATE TABLE events (
        id text NOT NULL,
        created_at timestamptz NOT NULL,
        client_id text NOT NULL,
        type text NOT NULL,
        message_id text,
        occurred_at timestamptz NOT NULL,
        gateway text,
        data jsonb NOT NULL,
        -- Readers take rows below the oldest running transaction, in the order (tx, seq): so none is passed over that commits late.
        tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
        seq bigint NOT NULL DEFAULT nextval('events_seq'),
        PRIMARY KEY (id, created_at)
      ) PARTITION BY RANGE (created_at);
      CREATE INDEX events_by_tenant ON events (client_id, tx, seq);
      CREATE INDEX events_by_message ON events (message_id) WHERE message_id IS NOT NULL;
      SELECT unimsg_fence('events');

      -- Raw callbacks as they came, once a provider event.
      CREATE TABLE provider_events (
        id text NOT NULL,
        created_at timestamptz NOT NULL,
        client_id text NOT NULL,
        provider text NOT NULL,
        kind text NOT NULL,
        config_id text NOT NULL,
        event_id text NOT NULL,
        external_id text,
        message_id text,
        -- matched, unmatched, unmapped, ignored, unparsable
        state text NOT NULL,
        normalized jsonb,
        request jsonb NOT NULL,
        raw_body bytea NOT NULL,
        -- An unmatched event is tried again until then.
        retry_until timestamptz,
        PRIMARY KEY (id, created_at)
      ) PARTITION BY RANGE (created_at);
      CREATE INDEX provider_events_by_tenant ON provider_events (client_id, id);
      CREATE INDEX provider_events_unmatched ON provider_events (created_at) WHERE state = 'unmatched' AND retry_until IS NOT NULL;
      SELECT unimsg_fence('provider_events');

      -- Unique over all months, which a partitioned table cannot be.
      CREATE TABLE provider_event_keys (
        config_id text NOT NULL,
        event_id text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (config_id, event_id)
      );
      CREATE INDEX provider_event_keys_by_time ON provider_event_keys USING brin (created_at);

      -- Processes that claim; one that stopped beating is dead, and its claims are taken back.
      CREATE TABLE workers (
        id text PRIMARY KEY,
        started_at timestamptz NOT NULL,
        heartbeat_at timestamptz NOT NULL
      );

      SELECT unimsg_make_partitions('messages', (now() - interval '1 month')::date, 5, 'WITH (fillfactor = 45)');
      SELECT unimsg_make_partitions('events', (now() - interval '1 month')::date, 5);
      SELECT unimsg_make_partitions('provider_events', (now() - interval '1 month')::date, 5);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE workers, provider_event_keys, provider_events, events, external_ids, idempotency_keys, message_queue, messages;
      DROP SEQUENCE events_seq;
    `);
  }
}
