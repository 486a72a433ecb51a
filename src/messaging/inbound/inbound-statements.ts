import { idTime, newId } from '../../kernel/ids';
import { statement } from '../../platform/database/database';
import { jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import type { InboundMessage, ReceiverType } from './inbound.types';

/**
 * The number that a row of `source` is to: the tenant's, of its provider, and of its config where the number names one. Where the message does not say
 * whom it is to, the one of its config. As questions for one row: as a join, which is planned once, it might read all numbers for ever.
 */
const numberOf = (source: string): string => `CASE WHEN ${source}.recipient <> '' THEN (
       SELECT CASE WHEN x.provider = ${source}.provider AND coalesce(x.config_id, ${source}.config_id) = ${source}.config_id THEN x.id END
       FROM numbers x WHERE x.number = ${source}.recipient AND x.channel = ${source}.channel AND x.client_id = ${source}.client_id)
     ELSE (
       SELECT CASE WHEN count(*) = 1 THEN min(x.id) END FROM numbers x
       WHERE x.client_id = ${source}.client_id AND x.config_id = ${source}.config_id AND x.channel = ${source}.channel AND x.provider = ${source}.provider)
     END`;

/**
 * Finds the number that each message came to, and gives out places in the numbers' sequences. The locks are taken in one order, so that two
 * processes cannot wait for each other, and are held until the messages are committed: so a sequence has no gap, and whoever sees a place sees all
 * places before it.
 */
export const PLACE = statement(
  'inbound.place',
  `WITH input AS (
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bool[]) WITH ORDINALITY
       AS i(client_id, config_id, provider, channel, recipient, counted, n)
   ), matched AS MATERIALIZED (
     SELECT i.n, i.counted, ${numberOf('i')} AS id FROM input i
   ), counts AS MATERIALIZED (
     SELECT id, count(*) AS count FROM matched WHERE counted AND id IS NOT NULL GROUP BY id
   ), locked AS MATERIALIZED (
     SELECT id FROM numbers WHERE id = ANY (ARRAY(SELECT id FROM counts)) ORDER BY id FOR NO KEY UPDATE
   ), moved AS (
     UPDATE numbers x SET sequence = x.sequence + c.count FROM locked l JOIN counts c ON c.id = l.id
     WHERE x.id = l.id AND x.id = ANY (ARRAY(SELECT id FROM locked))
     RETURNING x.id, x.number, (x.sequence - c.count)::float8 AS before
   )
   SELECT m.n::int, m.id, v.number, v.before FROM matched m LEFT JOIN moved v ON v.id = m.id WHERE m.id IS NOT NULL ORDER BY m.n`,
);

export interface PlaceRow {
  /** From 1. */
  n: number;
  id: string;
  number: string | null;
  /** The last place that others have; null when the number has just been deleted. */
  before: number | null;
}

/** Asked after {@link PLACE} has the locks of the numbers, which whoever changes receivers takes too. */
export const RECEIVERS = statement(
  'inbound.receivers',
  `SELECT id, number_id, type FROM number_receivers WHERE number_id = ANY($1::text[]) AND removed_at IS NULL ORDER BY id`,
);

export interface ReceiverRow {
  id: string;
  number_id: string;
  type: ReceiverType;
}

/** A message, and with it what it owes to each receiver, and its count in the tenant's usage. */
export const INSERT_INBOUND = statement(
  'inbound.insert',
  `WITH message AS (
     INSERT INTO inbound_messages (id, created_at, client_id, number_id, channel, provider, config_id, external_id, sender, recipient, text,
       occurred_at, received_at, sequence, state, event_id, provider_sequence, detail)
     SELECT id, to_timestamp(at / 1000), client_id, number_id, channel, provider, config_id, external_id, sender, recipient, text,
       to_timestamp(occurred_at / 1000), to_timestamp(received_at / 1000), sequence, state, event_id, provider_sequence, detail
     FROM unnest($1::text[], $2::float8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
         $11::text[], $12::float8[], $13::float8[], $14::bigint[], $15::text[], $16::text[], $17::bigint[], $18::jsonb[])
       AS i(id, at, client_id, number_id, channel, provider, config_id, external_id, sender, recipient, text, occurred_at, received_at, sequence,
         state, event_id, provider_sequence, detail)
   ), counted AS (
     INSERT INTO usage_deltas (client_id, bucket, config_id, channel, inbound)
     SELECT client_id, date_bin('15 minutes', to_timestamp(received_at / 1000), 'epoch'), config_id, channel, count(*)
     FROM unnest($3::text[], $13::float8[], $7::text[], $5::text[]) AS i(client_id, received_at, config_id, channel) GROUP BY 1, 2, 3, 4
   )
   INSERT INTO inbound_deliveries (id, created_at, client_id, inbound_id, inbound_created_at, number_id, receiver_id, type, sequence, status, updated_at)
   SELECT id, to_timestamp(at / 1000), client_id, inbound_id, to_timestamp(inbound_at / 1000), number_id, receiver_id, type, sequence, 'pending', now()
   FROM unnest($19::text[], $20::float8[], $21::text[], $22::text[], $23::float8[], $24::text[], $25::text[], $26::text[], $27::bigint[])
     AS d(id, at, client_id, inbound_id, inbound_at, number_id, receiver_id, type, sequence)`,
);

/**
 * Messages that came, from parameters of which some are the raw callbacks' own. For {@link INBOUND_LOCATE_CTES}.
 * @param first number of the first of {@link arrivedParameters}
 * @param shared numbers of the others; `keyId` is the provider's event id
 */
export function arrivedRows(
  first: number,
  shared: Record<'receivedAt' | 'clientId' | 'provider' | 'configId' | 'keyId' | 'externalId', number>,
): string {
  const own = 'text float8 text text text text float8 text bigint jsonb jsonb'.split(' ');
  return `unnest($${shared.receivedAt}::float8[], $${shared.clientId}::text[], $${shared.provider}::text[], $${shared.configId}::text[],
       $${shared.keyId}::text[], $${shared.externalId}::text[], ${own.map((type, index) => `$${first + index}::${type}[]`).join(', ')}) WITH ORDINALITY
     AS a(received_at, client_id, provider, config_id, key_id, external_id, id, at, channel, sender, recipient, text, occurred_at, fact_id,
       provider_sequence, detail, data, n)`;
}

export function arrivedParameters(messages: ReadonlyArray<NewInbound & { data: object }>): unknown[] {
  return [
    textArray(messages.map((one) => one.id)),
    plainArray(messages.map((one) => idTime(one.id, 'inbound'))),
    textArray(messages.map((one) => one.channel)),
    textArray(messages.map((one) => one.sender)),
    textArray(messages.map((one) => one.recipient)),
    textArray(messages.map((one) => one.text)),
    plainArray(messages.map((one) => one.occurredAt)),
    textArray(messages.map((one) => one.eventId)),
    plainArray(messages.map((one) => one.providerSequence)),
    jsonArray(messages.map((one) => one.detail)),
    jsonArray(messages.map((one) => one.data)),
  ];
}

/** `arrived` is what came; `located` is of it what has a number, which is `locked` as in {@link PLACE}. */
export const INBOUND_LOCATE_CTES = `located AS MATERIALIZED (
     SELECT * FROM (SELECT a.*, ${numberOf('a')} AS number_id FROM arrived a OFFSET 0) l WHERE number_id IS NOT NULL
   ), locked AS MATERIALIZED (
     SELECT id FROM numbers WHERE id = ANY (ARRAY(SELECT DISTINCT number_id FROM located)) ORDER BY id FOR NO KEY UPDATE
   )`;

/**
 * Gives those of `located` that are `taken` their places, and writes them with what is owed, their events and their count in usage. By maps and tests,
 * not joins: the message path allows no hash joins, so a join of two batches would compare each row with each. Who has just been removed as a receiver
 * may still be owed something: the lanes end that.
 */
export const INBOUND_WRITE_CTES = `moved AS (
     UPDATE numbers x SET sequence = x.sequence + c.count FROM (SELECT number_id, count(*) AS count FROM taken GROUP BY number_id) c
     WHERE x.id = c.number_id AND x.id = ANY (ARRAY(SELECT id FROM locked)) RETURNING x.id, x.sequence - c.count AS before
   ), places AS MATERIALIZED (
     SELECT jsonb_object_agg(id, before) AS before FROM moved
   ), placed AS MATERIALIZED (
     SELECT t.*, ((SELECT before FROM places) ->> t.number_id)::bigint + row_number() OVER (PARTITION BY t.number_id ORDER BY t.n) AS sequence
     FROM taken t
   ), message AS (
     INSERT INTO inbound_messages (id, created_at, client_id, number_id, channel, provider, config_id, external_id, sender, recipient, text,
       occurred_at, received_at, sequence, state, event_id, provider_sequence, detail)
     SELECT id, to_timestamp(at / 1000), client_id, number_id, channel, provider, config_id, external_id, sender, recipient, text,
       to_timestamp(occurred_at / 1000), to_timestamp(received_at / 1000), sequence, 'received', fact_id, provider_sequence, detail FROM placed
   ), counted AS (
     INSERT INTO usage_deltas (client_id, bucket, config_id, channel, inbound)
     SELECT client_id, date_bin('15 minutes', to_timestamp(received_at / 1000), 'epoch'), config_id, channel, count(*) FROM placed GROUP BY 1, 2, 3, 4
   ), owed AS (
     -- The ids are the message's with another end, so they carry the same time.
     INSERT INTO inbound_deliveries (id, created_at, client_id, inbound_id, inbound_created_at, number_id, receiver_id, type, sequence, status, updated_at)
     SELECT 'ind_' || substr(p.id, 5, 25) || substr('0123456789abcdefghjkmnpqrstvwxyz', row_number() OVER (PARTITION BY p.id ORDER BY r.id)::int, 1),
       to_timestamp(p.at / 1000), p.client_id, p.id, to_timestamp(p.at / 1000), p.number_id, r.id, r.type, p.sequence, 'pending', now()
     FROM placed p CROSS JOIN LATERAL (
       SELECT id, type FROM number_receivers WHERE number_id = p.number_id AND removed_at IS NULL OFFSET 0) r
   ), told AS (
     INSERT INTO events (id, created_at, client_id, type, occurred_at, gateway, data)
     SELECT fact_id, now(), client_id, 'inbound.received', to_timestamp(occurred_at / 1000), provider,
       data || jsonb_build_object('number_id', number_id, 'sequence', sequence, 'state', 'received')
     FROM placed ORDER BY n
   )`;

/** A message as it is written. */
export type NewInbound = InboundMessage & { providerSequence: number | null };

export function insertParameters(
  messages: readonly NewInbound[],
  deliveries: ReadonlyArray<{ message: InboundMessage; receiver: ReceiverRow }>,
): unknown[] {
  const ids = deliveries.map(() => newId('inboundDelivery'));
  return [
    textArray(messages.map((one) => one.id)),
    plainArray(messages.map((one) => idTime(one.id, 'inbound'))),
    textArray(messages.map((one) => one.clientId)),
    textArray(messages.map((one) => one.numberId)),
    textArray(messages.map((one) => one.channel)),
    textArray(messages.map((one) => one.provider)),
    textArray(messages.map((one) => one.configId)),
    textArray(messages.map((one) => one.externalId)),
    textArray(messages.map((one) => one.sender)),
    textArray(messages.map((one) => one.recipient)),
    textArray(messages.map((one) => one.text)),
    plainArray(messages.map((one) => one.occurredAt)),
    plainArray(messages.map((one) => one.receivedAt)),
    plainArray(messages.map((one) => one.sequence)),
    textArray(messages.map((one) => one.state)),
    textArray(messages.map((one) => one.eventId)),
    plainArray(messages.map((one) => one.providerSequence)),
    jsonArray(messages.map((one) => one.detail)),
    textArray(ids),
    plainArray(ids.map((id) => idTime(id, 'inboundDelivery'))),
    textArray(deliveries.map(({ message }) => message.clientId)),
    textArray(deliveries.map(({ message }) => message.id)),
    plainArray(deliveries.map(({ message }) => idTime(message.id, 'inbound'))),
    textArray(deliveries.map(({ message }) => message.numberId)),
    textArray(deliveries.map(({ receiver }) => receiver.id)),
    textArray(deliveries.map(({ receiver }) => receiver.type)),
    plainArray(deliveries.map(({ message }) => message.sequence)),
  ];
}
