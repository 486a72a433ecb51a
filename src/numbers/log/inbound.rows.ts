import type {
  InboundDeliveryStatus,
  InboundMessage,
  InboundState,
  InboundStatus,
  ReceiverFormat,
  ReceiverType,
} from '../../messaging/inbound/inbound.types';
import type {
  InboundDeliveryDetailView,
  InboundDeliveryView,
  InboundMessageDetailView,
  InboundTryView,
} from './inbound.view';

const ms = (column: string): string =>
  `(extract(epoch FROM ${column}) * 1000)::float8 AS ${column.slice(column.indexOf('.') + 1)}`;

/** A row of `inbound_messages`. Times in milliseconds. */
export interface InboundRow {
  id: string;
  number_id: string | null;
  channel: InboundMessage['channel'];
  provider: string;
  config_id: string;
  external_id: string | null;
  sender: string;
  recipient: string;
  text: string;
  occurred_at: number;
  received_at: number;
  sequence: number | null;
  state: InboundState;
  event_id: string;
  detail: Record<string, unknown> | null;
}

/** Select list of an {@link InboundRow} from `inbound_messages m`. */
export const INBOUND_COLUMNS = `m.id, m.number_id, m.channel, m.provider, m.config_id, m.external_id, m.sender, m.recipient, m.text,
  ${ms('m.occurred_at')}, ${ms('m.received_at')}, m.sequence::float8 AS sequence, m.state, m.event_id, m.detail`;

/** A try as it is kept. */
type KeptTry = Omit<InboundTryView, 'result'>;

/** A row of `inbound_deliveries` with its receiver, which may be gone from its number. Times in milliseconds. */
export interface InboundDeliveryRow {
  id: string;
  inbound_id: string;
  receiver_id: string;
  type: ReceiverType;
  status: InboundDeliveryStatus;
  attempts: number;
  next_attempt_at: number | null;
  updated_at: number;
  attempt_log: KeptTry[] | null;
  url: string | null;
  format: ReceiverFormat | null;
  email: string | null;
}

/** Deliveries of messages. @param tries whether they are read too */
export function deliveriesQuery(tries: boolean): string {
  return `SELECT d.id, d.inbound_id, d.receiver_id, d.type, d.status, d.attempts, ${ms('d.next_attempt_at')}, ${ms('d.updated_at')},
     ${tries ? 'd.attempt_log' : 'NULL::jsonb AS attempt_log'}, r.url, r.format, r.email
   FROM unnest($2::text[], $3::float8[]) AS i(id, at)
   JOIN inbound_deliveries d ON d.inbound_id = i.id AND d.inbound_created_at = to_timestamp(i.at / 1000)
   JOIN number_receivers r ON r.id = d.receiver_id
   WHERE d.client_id = $1 ORDER BY d.inbound_id, d.id`;
}

export function messageView(
  row: InboundRow,
  deliveries: ReadonlyArray<{ status: InboundDeliveryStatus }>,
): Omit<InboundMessageDetailView, 'deliveries'> {
  return {
    id: row.id,
    number_id: row.number_id,
    number: row.recipient,
    from: row.sender,
    to: row.recipient,
    text: row.text,
    channel: row.channel,
    gateway: row.provider,
    config_id: row.config_id,
    external_id: row.external_id,
    state: row.state,
    status: statusOf(row, deliveries),
    sequence: row.sequence,
    event_id: row.event_id,
    detail: row.detail,
    received_at: new Date(row.received_at).toISOString(),
    occurred_at: new Date(row.occurred_at).toISOString(),
  };
}

function statusOf({ state }: InboundRow, deliveries: ReadonlyArray<{ status: InboundDeliveryStatus }>): InboundStatus {
  if (state === 'unmatched') return 'unmatched';
  if (deliveries.some(({ status }) => status === 'dead_letter')) return 'dead_letter';
  return deliveries.some(({ status }) => status === 'pending') ? 'pending' : 'delivered';
}

export function deliveryView(row: InboundDeliveryRow): InboundDeliveryView {
  return {
    id: row.id,
    receiver_id: row.receiver_id,
    type: row.type,
    ...(row.type === 'webhook' ? { url: row.url!, format: row.format! } : { to: row.email! }),
    status: row.status,
    attempts: row.attempts,
    next_attempt_at: row.next_attempt_at === null ? null : new Date(row.next_attempt_at).toISOString(),
    updated_at: new Date(row.updated_at).toISOString(),
  };
}

export function deliveryDetailView(row: InboundDeliveryRow): InboundDeliveryDetailView {
  const tries = (row.attempt_log ?? []).map(({ at, ...rest }): InboundTryView => {
    return { at, result: rest.error === undefined ? 'succeeded' : 'failed', ...rest };
  });
  return { ...deliveryView(row), tries };
}
