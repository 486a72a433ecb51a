import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { Problem } from '../../kernel/problem';
import { InboundSignal } from '../../messaging/inbound/inbound-signal';
import {
  claimMessages,
  lockMessages,
  owedColumns,
  type KeptMessage,
  type Owed,
  type OwedPair,
} from '../../messaging/inbound/inbound-claim';
import { RECEIVERS, type ReceiverRow } from '../../messaging/inbound/inbound-statements';
import { Database, type Transaction } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import { inboundCondition, type InboundFilter } from './inbound-log.service';
import type { BulkRedelivered, Redelivered } from './inbound.dto';

/** Messages that a transaction handles. */
const CHUNK = 500;

/** How many are on their way again. */
export interface Redelivery {
  messages: number;
  deliveries: number;
}

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
    to_timestamp($10::float8 / 1000), now()
  FROM unnest($2::text[], $3::float8[], $4::text[], $5::float8[], $6::text[], $7::text[], $8::text[], $9::bigint[])
    AS i(id, id_at, inbound_id, at, number_id, receiver_id, type, sequence)
  WHERE $11 OR NOT EXISTS (
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
    messages: KeptMessage[],
    which: Redelivered | null,
    waitingToo: boolean,
  ): Promise<{ counted: Redelivery; numberIds: Set<string>; receivers: number }> {
    const now = this.clock.now();
    const { claimed, owed } = await claimMessages(tx, clientId, messages);
    const ready = messages.filter((message) => message.has_number);
    const numbers = [...new Set(ready.map((message) => message.number_id!))];
    // Whoever writes deliveries of a receiver has the lock of its row.
    const receivers =
      numbers.length === 0 ? [] : await tx.query<ReceiverRow>(`${RECEIVERS.text} FOR UPDATE`, [textArray(numbers)]);
    const ids = receivers.map((receiver) => receiver.id);
    const old = ready.filter((message) => !claimed.has(message));
    const again = await tx.query<Owed>(AGAIN, [
      textArray(old.map((message) => message.id)),
      plainArray(old.map((message) => message.at)),
      which,
      textArray(ids),
      now,
      waitingToo,
    ]);
    const pairs: OwedPair[] = old.flatMap((message) =>
      receivers
        .filter((receiver) => receiver.number_id === message.number_id)
        .map((receiver) => ({ message, receiver })),
    );
    // The receivers are past the places of these messages, so they are due.
    const first = await tx.query<Owed>(FIRST, [clientId, ...owedColumns(pairs), now, which === 'all', textArray(ids)]);
    const touched = [...owed, ...again, ...first];
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
