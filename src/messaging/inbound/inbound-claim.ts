import { idTime, newId } from '../../kernel/ids';
import { statement, type Transaction } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import { PARTS_WAIT_MS } from './inbound-parts';
import { PLACE, RECEIVERS, type PlaceRow, type ReceiverRow } from './inbound-statements';
import type { ReceiverType } from './inbound.types';

/** A message from a person as it is kept, and whether the number that it came to is still there. Times in milliseconds. */
export interface KeptMessage {
  id: string;
  at: number;
  number_id: string | null;
  has_number: boolean;
  sequence: number | null;
  channel: string;
  provider: string;
  config_id: string;
  external_id: string | null;
  sender: string;
  recipient: string;
  received_at: number;
  in_parts: boolean;
}

/** What a message owes to a receiver. */
export interface Owed {
  inbound_id: string;
  receiver_id: string;
}

/** A message and a receiver that it is for. */
export interface OwedPair {
  message: KeptMessage;
  receiver: { id: string; number_id: string; type: ReceiverType };
}

const KEPT = `m.id, (extract(epoch FROM m.created_at) * 1000)::float8 AS at, m.number_id, n.id IS NOT NULL AS has_number,
  m.sequence::float8 AS sequence, m.channel, m.provider, m.config_id, m.external_id, m.sender, m.recipient,
  (extract(epoch FROM m.received_at) * 1000)::float8 AS received_at, coalesce(m.detail ? 'parts', false) AS in_parts`;

const CLAIM = statement(
  'inbound.claim',
  `UPDATE inbound_messages m SET number_id = i.number_id, sequence = i.sequence, recipient = i.recipient, state = 'received'
   FROM unnest($2::text[], $3::float8[], $4::text[], $5::bigint[], $6::text[]) AS i(id, at, number_id, sequence, recipient)
   WHERE m.client_id = $1 AND m.id = i.id AND m.created_at = to_timestamp(i.at / 1000)`,
);

const OWE = statement(
  'inbound.owe',
  `INSERT INTO inbound_deliveries (id, created_at, client_id, inbound_id, inbound_created_at, number_id, receiver_id, type, sequence, status, updated_at)
   SELECT i.id, to_timestamp(i.id_at / 1000), $1, i.inbound_id, to_timestamp(i.at / 1000), i.number_id, i.receiver_id, i.type, i.sequence, 'pending', now()
   FROM unnest($2::text[], $3::float8[], $4::text[], $5::float8[], $6::text[], $7::text[], $8::text[], $9::bigint[])
     AS i(id, id_at, inbound_id, at, number_id, receiver_id, type, sequence)
   ON CONFLICT DO NOTHING RETURNING inbound_id, receiver_id`,
);

// A callback has the time of its message; those of parts came before it.
const MATCH_CALLBACKS = statement(
  'inbound.match_callbacks',
  `UPDATE provider_events e SET state = 'matched'
   FROM unnest($2::float8[], $3::float8[], $4::text[], $5::text[], $6::text[]) AS i(since, until, config_id, sender, external_id)
   WHERE e.client_id = $1 AND e.state = 'unmatched' AND e.retry_until IS NULL
     AND e.created_at >= to_timestamp(i.since / 1000) AND e.created_at <= to_timestamp(i.until / 1000)
     AND e.config_id = i.config_id AND (i.external_id IS NULL OR e.external_id = i.external_id)
     AND e.normalized ->> 'kind' = 'inbound' AND ltrim(e.normalized ->> 'from', '+') = ltrim(i.sender, '+')`,
);

/**
 * Columns of new deliveries, each with an id of its own: id and its time, the message and its time, number, receiver and its type, place in the
 * number's sequence. Times in milliseconds.
 */
export function owedColumns(pairs: readonly OwedPair[]): string[] {
  const ids = pairs.map(() => newId('inboundDelivery'));
  return [
    textArray(ids),
    plainArray(ids.map((id) => idTime(id, 'inboundDelivery'))),
    textArray(pairs.map(({ message }) => message.id)),
    plainArray(pairs.map(({ message }) => message.at)),
    textArray(pairs.map(({ message }) => message.number_id)),
    textArray(pairs.map(({ receiver }) => receiver.id)),
    textArray(pairs.map(({ receiver }) => receiver.type)),
    plainArray(pairs.map(({ message }) => message.sequence)),
  ];
}

/** Locks messages of a tenant; answers those that there are, in the order of their ids. */
export async function lockMessages(tx: Transaction, clientId: string, ids: readonly string[]): Promise<KeptMessage[]> {
  const values = [clientId, textArray(ids), plainArray(ids.map((id) => idTime(id, 'inbound')))];
  const from = `FROM inbound_messages m JOIN unnest($2::text[], $3::float8[]) AS i(id, at) ON i.id = m.id AND m.created_at = to_timestamp(i.at / 1000)`;
  await tx.query(`SELECT 1 ${from} WHERE m.client_id = $1 ORDER BY m.id FOR UPDATE OF m`, values);
  // Read apart: the statement that had to wait for the lock saw the numbers as they were before it.
  return tx.query<KeptMessage>(
    `SELECT ${KEPT} ${from} LEFT JOIN numbers n ON n.id = m.number_id WHERE m.client_id = $1 ORDER BY m.id`,
    values,
  );
}

/**
 * Gives those of locked messages whose number is the tenant's by now a place in its sequence, as if they came now: they are owed to its receivers, and
 * their callbacks are matched. Changes the messages that are given.
 * @returns those that got a place, and what they owe
 */
export async function claimMessages(
  tx: Transaction,
  clientId: string,
  messages: readonly KeptMessage[],
): Promise<{ claimed: Set<KeptMessage>; owed: Owed[] }> {
  const open = messages.filter((message) => !message.has_number);
  if (open.length === 0) return { claimed: new Set(), owed: [] };
  const rows = await tx.query<PlaceRow>(PLACE, [
    textArray(open.map(() => clientId)),
    textArray(open.map((message) => message.config_id)),
    textArray(open.map((message) => message.provider)),
    textArray(open.map((message) => message.channel)),
    textArray(open.map((message) => message.recipient)),
    plainArray(open.map(() => true)),
  ]);
  const given = new Map<string, number>();
  const all: KeptMessage[] = [];
  for (const { n, id, number, before } of rows) {
    if (before === null) continue;
    const message = open[n - 1]!;
    message.sequence = (given.get(id) ?? before) + 1;
    given.set(id, message.sequence);
    message.number_id = id;
    message.has_number = true;
    if (message.recipient === '') message.recipient = number!;
    all.push(message);
  }
  if (all.length === 0) return { claimed: new Set(), owed: [] };
  await tx.execute(CLAIM, [
    clientId,
    textArray(all.map((message) => message.id)),
    plainArray(all.map((message) => message.at)),
    textArray(all.map((message) => message.number_id)),
    plainArray(all.map((message) => message.sequence)),
    textArray(all.map((message) => message.recipient)),
  ]);
  await tx.execute(MATCH_CALLBACKS, [
    clientId,
    plainArray(all.map(sinceOf)),
    plainArray(all.map((message) => message.received_at)),
    textArray(all.map((message) => message.config_id)),
    textArray(all.map((message) => message.sender)),
    textArray(all.map((message) => (message.in_parts ? null : message.external_id))),
  ]);
  const receivers = await tx.query<ReceiverRow>(RECEIVERS, [textArray([...given.keys()])]);
  const pairs = all.flatMap((message) =>
    receivers.filter((one) => one.number_id === message.number_id).map((receiver) => ({ message, receiver })),
  );
  const owed = await tx.query<Owed>(OWE, [clientId, ...owedColumns(pairs)]);
  return { claimed: new Set(all), owed };
}

/** The message that a callback became, with its lock; undefined: its parts still wait, or it is gone. */
export async function messageOfCallback(
  tx: Transaction,
  clientId: string,
  callback: { configId: string; sender: string; externalId: string | undefined; inParts: boolean; receivedAt: number },
): Promise<KeptMessage | undefined> {
  const { configId, sender, externalId, inParts, receivedAt } = callback;
  const [found] = await tx.query<{ id: string }>(
    `SELECT m.id FROM inbound_messages m
     WHERE m.client_id = $1 AND m.sender = $2 AND m.config_id = $3 AND m.created_at >= to_timestamp($4::float8 / 1000) - interval '1 day'
       AND m.received_at >= to_timestamp($4::float8 / 1000) AND m.received_at <= to_timestamp($5::float8 / 1000)
       AND ($6::text IS NULL OR m.external_id = $6) AND coalesce(m.detail ? 'parts', false) = $7
     ORDER BY m.id LIMIT 1`,
    [
      clientId,
      sender,
      configId,
      receivedAt,
      inParts ? receivedAt + LATEST_JOIN_MS : receivedAt,
      inParts ? null : (externalId ?? null),
      inParts,
    ],
  );
  return found && (await lockMessages(tx, clientId, [found.id]))[0];
}

/** How long after its first part a message may be put together: when the parts have waited, and were looked for. */
const LATEST_JOIN_MS = 2 * PARTS_WAIT_MS;

function sinceOf({ in_parts, received_at }: KeptMessage): number {
  return in_parts ? received_at - LATEST_JOIN_MS : received_at;
}
