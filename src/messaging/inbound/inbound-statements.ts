import { idTime, newId } from '../../kernel/ids';
import { statement } from '../../platform/database/database';
import { jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import type { InboundMessage, ReceiverType } from './inbound.types';

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
     SELECT i.n, i.counted, x.id FROM input i JOIN numbers x
       ON x.number = i.recipient AND x.channel = i.channel AND x.client_id = i.client_id AND x.provider = i.provider
         AND (x.config_id IS NULL OR x.config_id = i.config_id)
     UNION ALL
     SELECT i.n, i.counted, x.id FROM input i JOIN numbers x
       ON i.recipient = '' AND x.config_id = i.config_id AND x.client_id = i.client_id AND x.channel = i.channel AND x.provider = i.provider
   ), counts AS (
     SELECT id, count(*) AS count FROM matched WHERE counted GROUP BY id
   ), locked AS MATERIALIZED (
     SELECT id FROM numbers WHERE id IN (SELECT id FROM counts) ORDER BY id FOR NO KEY UPDATE
   ), moved AS (
     UPDATE numbers x SET sequence = x.sequence + c.count FROM locked l JOIN counts c ON c.id = l.id WHERE x.id = l.id
     RETURNING x.id, x.number, (x.sequence - c.count)::float8 AS before
   )
   SELECT m.n::int, m.id, v.number, v.before FROM matched m LEFT JOIN moved v ON v.id = m.id ORDER BY m.n`,
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
