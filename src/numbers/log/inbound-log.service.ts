import { Injectable } from '@nestjs/common';
import { idAt, idTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import type { InboundDeliveryStatus, InboundState } from '../../messaging/inbound/inbound.types';
import { Database, type Transaction } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import { spellings } from '../registry/numbers.service';
import {
  deliveriesQuery,
  deliveryDetailView,
  deliveryView,
  INBOUND_COLUMNS,
  messageView,
  type InboundDeliveryRow,
  type InboundRow,
} from './inbound.rows';
import type { InboundMessageDetailView, InboundMessageView } from './inbound.view';

/** Which messages. Times in milliseconds. */
export interface InboundFilter {
  /** The number that it came to, or its id. */
  number?: string;
  sender?: string;
  channel?: string;
  state?: InboundState;
  deliveryStatus?: InboundDeliveryStatus;
  /** Received at this time or later. */
  since?: number;
  /** Received before this time. */
  until?: number;
}

/** The condition of a filter on `inbound_messages m`, with `$1` the tenant; the id carries the time of receipt. */
export function inboundCondition(filter: InboundFilter, values: unknown[]): string {
  const parts = ['m.client_id = $1'];
  const put = (condition: (place: string) => string, value: unknown): void => {
    values.push(value);
    parts.push(condition(`$${values.length}`));
  };
  if (filter.number !== undefined) {
    if (idTime(filter.number, 'number') === null)
      put((place) => `m.recipient = ANY (${place}::text[])`, spellings(filter.number));
    else put((place) => `m.number_id = ${place}`, filter.number);
  }
  if (filter.sender !== undefined) put((place) => `m.sender = ANY (${place}::text[])`, spellings(filter.sender));
  if (filter.channel !== undefined) put((place) => `m.channel = ${place}`, filter.channel);
  if (filter.state !== undefined) put((place) => `m.state = ${place}`, filter.state);
  if (filter.deliveryStatus === 'dead_letter')
    parts.push(
      `m.id IN (SELECT d.inbound_id FROM inbound_deliveries d WHERE d.client_id = $1 AND d.status = 'dead_letter')`,
    );
  else if (filter.deliveryStatus !== undefined)
    put(
      (place) =>
        `EXISTS (SELECT 1 FROM inbound_deliveries d WHERE d.inbound_id = m.id AND d.inbound_created_at = m.created_at AND d.status = ${place})`,
      filter.deliveryStatus,
    );
  if (filter.since !== undefined) {
    put((place) => `m.id >= ${place}`, idAt('inbound', filter.since));
    put((place) => `m.created_at >= to_timestamp(${place}::float8 / 1000)`, filter.since);
  }
  if (filter.until !== undefined) {
    put((place) => `m.id < ${place}`, idAt('inbound', filter.until));
    put((place) => `m.created_at < to_timestamp(${place}::float8 / 1000)`, filter.until);
  }
  return parts.join(' AND ');
}

/** What came from people, and what became of it. */
@Injectable()
export class InboundLogService {
  constructor(private readonly database: Database) {}

  /** Newest first. `before`: the last id of the page before. */
  async list(
    clientId: string,
    filter: InboundFilter & { before?: string; limit: number },
  ): Promise<InboundMessageView[]> {
    return this.database.tenant(clientId, async (tx) => {
      const values: unknown[] = [clientId];
      let condition = inboundCondition(filter, values);
      if (filter.before !== undefined) {
        values.push(filter.before, idTime(filter.before, 'inbound'));
        condition += ` AND m.id < $${values.length - 1} AND m.created_at <= to_timestamp($${values.length}::float8 / 1000)`;
      }
      values.push(filter.limit);
      const rows = await tx.query<InboundRow>(
        `SELECT ${INBOUND_COLUMNS} FROM inbound_messages m WHERE ${condition} ORDER BY m.id DESC LIMIT $${values.length}`,
        values,
      );
      const deliveries = await deliveriesOf(tx, clientId, rows, false);
      return rows.map((row) => {
        const own = deliveries.get(row.id) ?? [];
        return { ...messageView(row, own), deliveries: own.map(deliveryView) };
      });
    });
  }

  /** @throws Problem not_found */
  async get(clientId: string, id: string): Promise<InboundMessageDetailView> {
    return this.database.tenant(clientId, async (tx) => {
      const at = idTime(id, 'inbound');
      const [row] = await tx.query<InboundRow>(
        `SELECT ${INBOUND_COLUMNS} FROM inbound_messages m
         WHERE m.client_id = $1 AND m.id = $2 AND m.created_at = to_timestamp($3::float8 / 1000)`,
        [clientId, id, at],
      );
      if (row === undefined) throw Problem.notFound('inbound message');
      const deliveries = await deliveriesOf(tx, clientId, [row], true);
      const own = deliveries.get(id) ?? [];
      return { ...messageView(row, own), deliveries: own.map(deliveryDetailView) };
    });
  }
}

async function deliveriesOf(
  tx: Transaction,
  clientId: string,
  messages: readonly InboundRow[],
  tries: boolean,
): Promise<Map<string, InboundDeliveryRow[]>> {
  const byMessage = new Map<string, InboundDeliveryRow[]>();
  if (messages.length === 0) return byMessage;
  const rows = await tx.query<InboundDeliveryRow>(deliveriesQuery(tries), [
    clientId,
    textArray(messages.map(({ id }) => id)),
    plainArray(messages.map(({ id }) => idTime(id, 'inbound'))),
  ]);
  for (const row of rows) byMessage.set(row.inbound_id, [...(byMessage.get(row.inbound_id) ?? []), row]);
  return byMessage;
}
