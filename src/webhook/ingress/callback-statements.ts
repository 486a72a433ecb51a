import { newId } from '../../kernel/ids';
import { arrivedRows, INBOUND_LOCATE_CTES, INBOUND_WRITE_CTES } from '../../messaging/inbound/inbound-statements';
import { STATE_COLUMNS, WRITE_CTES, WRITE_PARAMETERS } from '../../messaging/record/message-statements';
import { statement } from '../../platform/database/database';
import { byteaArray, jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import { isRetried, stateOf, type StoredItem } from './received-event';

/** How long an event whose message is not known yet is tried again: a provider can be quicker than its own answer to us. */
export const RETRY_MINUTES = 10;

// Ordered, so that two processes that get the same repeats cannot wait for each other. A key whose time is over is taken anew.
export const TAKE_KEYS = statement(
  'provider_events.take_keys',
  `WITH input AS (
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::float8[]) WITH ORDINALITY
       AS i(config_id, event_id, external_id, at, lasts, n)
   ), fresh AS (
     INSERT INTO provider_event_keys AS k (config_id, event_id, created_at, expires_at)
     SELECT config_id, event_id, now(), to_timestamp((at + lasts) / 1000) FROM input ORDER BY 1, 2
     ON CONFLICT (config_id, event_id) DO UPDATE SET created_at = excluded.created_at, expires_at = excluded.expires_at
       WHERE k.expires_at <= to_timestamp($6::float8 / 1000)
     RETURNING config_id, event_id
   )
   SELECT min(i.n)::int AS n, min(x.message_id) AS message_id
   FROM fresh f JOIN input i USING (config_id, event_id)
   LEFT JOIN external_ids x ON x.config_id = i.config_id AND x.external_id = i.external_id
   GROUP BY i.config_id, i.event_id`,
);

// What the provider's ids are mapped to, and the messages that the callbacks name themselves, at once.
export const FIND_MESSAGES = statement(
  'provider_events.find_messages',
  `SELECT i.n::int, x.message_id AS mapped, ${STATE_COLUMNS}
   FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[]) WITH ORDINALITY AS i(config_id, external_id, hint, at, n)
   LEFT JOIN external_ids x ON x.config_id = i.config_id AND x.external_id = i.external_id
   LEFT JOIN messages m ON m.id = i.hint AND m.created_at = to_timestamp(i.at / 1000.0)`,
);

/** The rows of `provider_events`, from parameters that begin at a number. */
const rawRows = (first: number) => {
  const types = 'text float8 text text text text text text text text jsonb jsonb bytea bool'.split(' ');
  return `unnest(${types.map((type, index) => `$${first + index}::${type}[]`).join(', ')}) WITH ORDINALITY
     AS i(id, at, client_id, provider, kind, config_id, event_id, external_id, message_id, state, normalized, request, raw_body, retry, n)`;
};

/** Number of parameters of {@link rawRows}. */
const RAW_PARAMETERS = 14;

const INSERT_RAW = `INSERT INTO provider_events (id, created_at, client_id, provider, kind, config_id, event_id, external_id, message_id, state, normalized,
                                request, raw_body, retry_until)
   SELECT i.id, to_timestamp(i.at / 1000.0), i.client_id, i.provider, i.kind, i.config_id, i.event_id, i.external_id, i.message_id, i.state,
          i.normalized, i.request, i.raw_body, CASE WHEN i.retry THEN now() + interval '${RETRY_MINUTES} minutes' END`;

export const INSERT = statement('provider_events.insert', `${INSERT_RAW} FROM ${rawRows(1)}`);

// Everything in one statement: the messages that change, the keys and the raw rows. An event whose message was changed by somebody else in the
// meantime is left out whole, and goes the longer way.
export const STORE = statement(
  'provider_events.store',
  `WITH ${WRITE_CTES}, raw AS MATERIALIZED (
     SELECT * FROM ${rawRows(WRITE_PARAMETERS + 1)}
   ), fresh AS (
     INSERT INTO provider_event_keys (config_id, event_id, created_at)
     SELECT r.config_id, r.event_id, now() FROM raw r
     WHERE r.message_id IS NULL OR r.message_id NOT IN (SELECT id FROM input) OR r.message_id IN (SELECT id FROM changed)
     ORDER BY 1, 2 ON CONFLICT DO NOTHING RETURNING config_id, event_id
   ), kept AS (
     ${INSERT_RAW} FROM raw i WHERE ((i.config_id, i.event_id) IN (SELECT config_id, event_id FROM fresh)) IS TRUE
   )
   SELECT id FROM changed`,
);

/**
 * Whole messages from people to numbers that there are, in one statement: the number's lock, the key, place, message, what is owed to receivers, event
 * and raw row. Answers which of them it was for; the others go the longer way.
 */
export const STORE_INBOUND = statement(
  'provider_events.store_inbound',
  `WITH raw AS MATERIALIZED (
     SELECT * FROM ${rawRows(1)}
   ), arrived AS MATERIALIZED (
     SELECT * FROM ${arrivedRows(RAW_PARAMETERS + 3, { receivedAt: 2, clientId: 3, provider: 4, configId: 6, keyId: 7, externalId: 8 })}
   ), ${INBOUND_LOCATE_CTES}, fresh AS (
     INSERT INTO provider_event_keys AS k (config_id, event_id, created_at, expires_at)
     SELECT l.config_id, l.key_id, now(), to_timestamp((l.received_at + l.lasts) / 1000)
     FROM (SELECT l.*, ($${RAW_PARAMETERS + 1}::float8[])[l.n] AS lasts FROM located l) l
     WHERE (l.number_id IN (SELECT id FROM locked)) IS TRUE ORDER BY 1, 2
     ON CONFLICT (config_id, event_id) DO UPDATE SET created_at = excluded.created_at, expires_at = excluded.expires_at
       WHERE k.expires_at <= to_timestamp($${RAW_PARAMETERS + 2}::float8 / 1000)
     RETURNING config_id, event_id
   ), taken AS MATERIALIZED (
     SELECT * FROM located WHERE ((config_id, key_id) IN (SELECT config_id, event_id FROM fresh)) IS TRUE
   ), ${INBOUND_WRITE_CTES}, kept AS (
     ${INSERT_RAW} FROM raw i WHERE (i.n IN (SELECT n FROM taken)) IS TRUE
   )
   SELECT coalesce(array_agg(l.n::int) FILTER (WHERE (l.number_id IN (SELECT id FROM locked)) IS TRUE), '{}') AS located,
     ARRAY(SELECT DISTINCT number_id FROM taken) AS numbers
   FROM located l`,
);

/** Parameters of {@link rawRows}. */
export function rawParameters(items: readonly StoredItem[]): unknown[] {
  const states = items.map(({ received, known }) => stateOf(received.event, known));
  return [
    textArray(items.map(() => newId('providerEvent'))),
    plainArray(items.map(({ received }) => received.receivedAt)),
    textArray(items.map(({ received }) => received.clientId)),
    textArray(items.map(({ received }) => received.provider)),
    textArray(items.map(({ received }) => received.kind)),
    textArray(items.map(({ received }) => received.configId)),
    textArray(items.map(({ received }) => received.eventId)),
    textArray(items.map(({ received }) => received.event?.externalId)),
    textArray(items.map(({ messageId, known }) => (known ? messageId : null))),
    textArray(states),
    jsonArray(items.map(({ received }) => received.event)),
    jsonArray(items.map(({ received }) => received.request)),
    byteaArray(items.map(({ received }) => received.rawBody)),
    plainArray(items.map(({ received }, index) => states[index] === 'unmatched' && isRetried(received.event))),
  ];
}
