import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { idTime, newId } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { InboundSignal } from '../../messaging/inbound/inbound-signal';
import { PLACE, RECEIVERS, type PlaceRow, type ReceiverRow } from '../../messaging/inbound/inbound-statements';
import type { ReceiverType } from '../../messaging/inbound/inbound.types';
import { Database, type Transaction } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import { inboundCondition, type InboundFilter } from './inbound-log.service';
import type { BulkRedelivered, Redelivered } from './inbound.dto';

/** Messages that a transaction handles. */
const CHUNK = 500;

interface Message {
  id: string;
  at: number;
  number_id: string | null;
  has_number: boolean;
  sequence: number | null;
  channel: string;
  provider: string;
  config_id: string;
  recipient: string;
}

interface Delivery {
  message: Message;
  receiver: { id: string; number_id: string; type: ReceiverType };
}

/** How many are on their way again. */
export interface Redelivery {
  messages: number;
  deliveries: number;
}

const MESSAGE = `m.id, (extract(epoch FROM m.created_at) * 1000)::float8 AS at, m.number_id, n.id IS NOT NULL AS has_number,
  m.sequence::float8 AS sequence, m.channel, m.provider, m.config_id, m.recipient`;

/**
 * `$3`: only dead letters, all, or (null) the dead letters of messages that have some and all of the others. What waits for its next try is tried now,
 * when a single message is asked for; its count of tries stays, as it may be under way.
 */
const AGAIN = `
  UPDATE inbound_deliveries d SET status = 'pending', next_attempt_at = to_timestamp($5::float8 / 1000), updated_at = now(),
    attempts = CASE WHEN d.status = 'pending' THEN d.attempts ELSE 0 END
  FROM unnest($1::text[], $2::float8[]) AS i(id, at)
  WHERE d.inbound_id = i.id AND d.inbound_created_at = to_timestamp(i.at / 1000) AND d.receiver_id = ANY ($4::text[])
    AND (d.status = 'dead_letter' OR (d.status = 'pending' AND d.next_attempt_at IS NOT NULL AND $6)
      OR (d.status = 'succeeded' AND ($3::text = 'all' OR ($3::text IS NULL AND NOT EXISTS (
        SELECT 1 FROM inbound_deliveries o
        WHERE o.inbound_id = d.inbound_id AND o.inbound_created_at = d.inbound_created_at AND o.status <> 'succeeded')))))
  RETURNING d.inbound_id, d.receiver_id`;

/** For receivers that the message was never for: all, or where none of those that the number has now knows it. */
const FIRST = `
  INSERT INTO inbound_deliveries (id, created_at, client_id, inbound_id, inbound_created_at, number_id, receiver_id, type, sequence, status,
    next_attempt_at, updated_at)
  SELECT i.id, to_timestamp(i.id_at / 1000), $1, i.inbound_id, to_timestamp(i.at / 1000), i.number_id, i.receiver_id, i.type, i.sequence, 'pending',
    to_timestamp(i.due / 1000), now()
  FROM unnest($2::text[], $3::float8[], $4::text[], $5::float8[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::float8[])
    AS i(id, id_at, inbound_id, at, number_id, receiver_id, type, sequence, due)
  WHERE i.due IS NULL OR $11 OR NOT EXISTS (
    SELECT 1 FROM inbound_deliveries o WHERE o.inbound_id = i.inbound_id AND o.inbound_created_at = to_timestamp(i.at / 1000)
      AND o.receiver_id = ANY ($12::text[]))
  ON CONFLICT DO NOTHING RETURNING inbound_id, receiver_id`;

/** Begins new rounds of tries. */
@Injectable()
export class InboundRedeliveryService {
  constructor(
    private readonly database: Database,
    private readonly signal: InboundSignal,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws Problem not_found; conflict when nobody is to be told */
  async one(clientId: string, id: string, which: Redelivered | undefined): Promise<Redelivery> {
    const done = await this.database.tenant(clientId, async (tx) => {
      const messages = await lockMessages(tx, clientId, [id]);
      if (messages.length === 0) throw Problem.notFound('inbound message');
      const again = await this.again(tx, clientId, messages, which ?? null, true);
      if (messages[0]!.number_id === null || !messages[0]!.has_number)
        throw new Problem('conflict', 'You do not have the number that it came to.');
      if (again.receivers === 0) throw new Problem('conflict', 'The number has no receivers.');
      return again;
    });
    this.signal.committed(done.numberIds);
    return done.counted;
  }

  /** A chunk at a time, oldest first. */
  async many(clientId: string, filter: InboundFilter, which: BulkRedelivered): Promise<Redelivery> {
    const narrow: InboundFilter = {
      ...filter,
      ...(which === 'dead_letter' && { deliveryStatus: 'dead_letter' }),
      ...(which === 'unmatched' && { state: 'unmatched' }),
    };
    const total: Redelivery = { messages: 0, deliveries: 0 };
    let after = '';
    for (;;) {
      const found = await this.database.tenant(clientId, (tx) => {
        const values: unknown[] = [clientId];
        const condition = inboundCondition(narrow, values);
        return tx.query<{ id: string }>(
          `SELECT m.id FROM inbound_messages m WHERE ${condition} AND m.id > $${values.length + 1} ORDER BY m.id LIMIT ${CHUNK}`,
          [...values, after],
        );
      });
      if (found.length === 0) return total;
      after = found.at(-1)!.id;
      const done = await this.database.tenant(clientId, async (tx) => {
        const ids = found.map(({ id }) => id);
        return this.again(
          tx,
          clientId,
          await lockMessages(tx, clientId, ids),
          which === 'all' ? 'all' : 'dead_letter',
          false,
        );
      });
      this.signal.committed(done.numberIds);
      total.messages += done.counted.messages;
      total.deliveries += done.counted.deliveries;
      if (found.length < CHUNK) return total;
    }
  }

  private async again(
    tx: Transaction,
    clientId: string,
    messages: Message[],
    which: Redelivered | null,
    waitingToo: boolean,
  ): Promise<{ counted: Redelivery; numberIds: Set<string>; receivers: number }> {
    const now = this.clock.now();
    const claimed = await claim(tx, clientId, messages);
    const ready = messages.filter((message) => message.has_number);
    const numbers = [...new Set(ready.map((message) => message.number_id!))];
    // Whoever writes deliveries of a receiver has the lock of its row.
    const receivers =
      numbers.length === 0 ? [] : await tx.query<ReceiverRow>(`${RECEIVERS.text} FOR UPDATE`, [textArray(numbers)]);
    const ids = receivers.map((receiver) => receiver.id);
    const old = ready.filter((message) => !claimed.has(message));
    const again = await tx.query<Touched>(AGAIN, [
      textArray(old.map((message) => message.id)),
      plainArray(old.map((message) => message.at)),
      which,
      textArray(ids),
      now,
      waitingToo,
    ]);
    const pairs: Delivery[] = ready.flatMap((message) =>
      receivers
        .filter((receiver) => receiver.number_id === message.number_id)
        .map((receiver) => ({ message, receiver })),
    );
    const first = await tx.query<Touched>(FIRST, [
      clientId,
      ...firstColumns(pairs, claimed, now),
      which === 'all',
      textArray(ids),
    ]);
    const touched = [...again, ...first];
    await tx.execute(
      `UPDATE number_receivers SET next_retry_at = least(next_retry_at, to_timestamp($2::float8 / 1000)) WHERE id = ANY ($1::text[])`,
      [textArray([...new Set(touched.map((row) => row.receiver_id))]), now],
    );
    return {
      counted: { messages: new Set(touched.map((row) => row.inbound_id)).size, deliveries: touched.length },
      numberIds: new Set(numbers),
      receivers: receivers.length,
    };
  }
}

interface Touched {
  inbound_id: string;
  receiver_id: string;
}

async function lockMessages(tx: Transaction, clientId: string, ids: readonly string[]): Promise<Message[]> {
  const values = [clientId, textArray(ids), plainArray(ids.map((id) => idTime(id, 'inbound')))];
  const from = `FROM inbound_messages m JOIN unnest($2::text[], $3::float8[]) AS i(id, at) ON i.id = m.id AND m.created_at = to_timestamp(i.at / 1000)`;
  await tx.query(`SELECT 1 ${from} WHERE m.client_id = $1 ORDER BY m.id FOR UPDATE OF m`, values);
  // Read apart: the statement that had to wait for the lock saw the numbers as they were before it.
  return tx.query<Message>(
    `SELECT ${MESSAGE} ${from} LEFT JOIN numbers n ON n.id = m.number_id WHERE m.client_id = $1 ORDER BY m.id`,
    values,
  );
}

/** Gives messages whose number is the tenant's by now a place in its sequence; answers them. */
async function claim(tx: Transaction, clientId: string, messages: readonly Message[]): Promise<Set<Message>> {
  const claimed = new Set<Message>();
  const open = messages.filter((message) => !message.has_number);
  if (open.length === 0) return claimed;
  const rows = await tx.query<PlaceRow>(PLACE, [
    textArray(open.map(() => clientId)),
    textArray(open.map((message) => message.config_id)),
    textArray(open.map((message) => message.provider)),
    textArray(open.map((message) => message.channel)),
    textArray(open.map((message) => message.recipient)),
    plainArray(open.map(() => true)),
  ]);
  const given = new Map<string, number>();
  for (const { n, id, number, before } of rows) {
    if (before === null) continue;
    const message = open[n - 1]!;
    message.sequence = (given.get(id) ?? before) + 1;
    given.set(id, message.sequence);
    message.number_id = id;
    message.has_number = true;
    if (message.recipient === '') message.recipient = number!;
    claimed.add(message);
  }
  const all = [...claimed];
  await tx.execute(
    `UPDATE inbound_messages m SET number_id = i.number_id, sequence = i.sequence, recipient = i.recipient, state = 'received'
     FROM unnest($2::text[], $3::float8[], $4::text[], $5::bigint[], $6::text[]) AS i(id, at, number_id, sequence, recipient)
     WHERE m.client_id = $1 AND m.id = i.id AND m.created_at = to_timestamp(i.at / 1000)`,
    [
      clientId,
      textArray(all.map((message) => message.id)),
      plainArray(all.map((message) => message.at)),
      textArray(all.map((message) => message.number_id)),
      plainArray(all.map((message) => message.sequence)),
      textArray(all.map((message) => message.recipient)),
    ],
  );
  return claimed;
}

/** A message that has just got its place is fresh; for the others the receivers are past their place, so they are due. */
function firstColumns(pairs: readonly Delivery[], claimed: ReadonlySet<Message>, now: number): unknown[] {
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
    plainArray(pairs.map(({ message }) => (claimed.has(message) ? null : now))),
  ];
}
