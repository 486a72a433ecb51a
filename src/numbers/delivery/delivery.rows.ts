import type { InboundMessage } from '../../messaging/inbound/inbound.types';
import type { InboundRow } from '../log/inbound.rows';

/** A message on its way to one receiver. */
export interface InboundItem {
  readonly inboundId: string;
  /** As PostgreSQL writes it: finds the partition. */
  readonly inboundCreatedAt: string;
  readonly sequence: number;
  /** Failed tries of this round. */
  readonly attempts: number;
  /** Tries of all rounds. */
  readonly tries: number;
  /** Null: it is gone (retention). */
  readonly message: InboundMessage | null;
}

/** A row of FRESH and DUE. */
export interface ItemRow extends Omit<InboundRow, 'id'> {
  inbound_id: string;
  inbound_created_at: string;
  delivery_sequence: number;
  attempts: number;
  tries: number;
  /** Null: no message. */
  id: string | null;
  client_id: string;
}

export function itemOf(row: ItemRow): InboundItem {
  return {
    inboundId: row.inbound_id,
    inboundCreatedAt: row.inbound_created_at,
    sequence: row.delivery_sequence,
    attempts: row.attempts,
    tries: row.tries,
    message: row.id === null ? null : messageOf(row, row.id),
  };
}

function messageOf(row: ItemRow, id: string): InboundMessage {
  return {
    id,
    clientId: row.client_id,
    numberId: row.number_id,
    channel: row.channel,
    provider: row.provider,
    configId: row.config_id,
    externalId: row.external_id,
    sender: row.sender,
    recipient: row.recipient,
    text: row.text,
    occurredAt: row.occurred_at,
    receivedAt: row.received_at,
    sequence: row.sequence,
    state: row.state,
    eventId: row.event_id,
    detail: row.detail,
  };
}
