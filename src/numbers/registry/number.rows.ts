import type { Channel } from '../../kernel/channel';
import type { ReceiverFormat, ReceiverType } from '../../messaging/inbound/inbound.types';

/** A row of `numbers`. Times in milliseconds. */
export interface NumberRow {
  id: string;
  client_id: string;
  number: string;
  channel: Channel;
  /** Provider key. */
  provider: string;
  config_id: string | null;
  description: string | null;
  timeout_seconds: number;
  retry_delay_seconds: number;
  max_attempts: number;
  sequence: number;
  created_at: number;
  updated_at: number;
}

/** A row of `number_receivers` without what concerns its lane. Times in milliseconds. */
export interface NumberReceiverRow {
  id: string;
  number_id: string;
  type: ReceiverType;
  url: string | null;
  format: ReceiverFormat | null;
  email: string | null;
  failing_since: number | null;
}

const ms = (alias: string, column: string): string =>
  `(extract(epoch FROM ${alias}.${column}) * 1000)::float8 AS ${column}`;

/** Select list of a {@link NumberRow} from `numbers n`. */
export const NUMBER_COLUMNS = `n.id, n.client_id, n.number, n.channel, n.provider, n.config_id, n.description, n.timeout_seconds,
  n.retry_delay_seconds, n.max_attempts, n.sequence::float8 AS sequence, ${ms('n', 'created_at')}, ${ms('n', 'updated_at')}`;

/** Select list of a {@link NumberReceiverRow} from `number_receivers r`. */
export const NUMBER_RECEIVER_COLUMNS = `r.id, r.number_id, r.type, r.url, r.format, r.email, ${ms('r', 'failing_since')}`;
