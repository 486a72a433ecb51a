import type { ReceiverFormat, ReceiverType } from '../../messaging/inbound/inbound.types';

/** A receiver as its lane needs it, with the settings of its number. Times in milliseconds. */
export interface ReceiverRow {
  id: string;
  client_id: string;
  number_id: string;
  type: ReceiverType;
  url: string | null;
  format: ReceiverFormat | null;
  email: string | null;
  /** It, or its number, is gone: what is pending becomes a dead letter. */
  removed: boolean;
  cursor_sequence: number;
  failures_in_row: number;
  failing_since: number | null;
  next_retry_at: number | null;
  /** The last one that the number gave out. */
  sequence: number;
  timeout_seconds: number;
  retry_delay_seconds: number;
  max_attempts: number;
}

const ms = (column: string): string => `(extract(epoch FROM r.${column}) * 1000)::float8 AS ${column}`;

/** Select list of a {@link ReceiverRow} from `number_receivers r LEFT JOIN numbers n`. */
export const RECEIVER_COLUMNS = `r.id, r.client_id, r.number_id, r.type, r.url, r.format, r.email,
  r.removed_at IS NOT NULL OR n.id IS NULL AS removed, r.cursor_sequence::float8 AS cursor_sequence, r.failures_in_row, ${ms('failing_since')},
  ${ms('next_retry_at')}, coalesce(n.sequence, r.cursor_sequence)::float8 AS sequence, coalesce(n.timeout_seconds, 30) AS timeout_seconds,
  coalesce(n.retry_delay_seconds, 900) AS retry_delay_seconds, coalesce(n.max_attempts, 3) AS max_attempts`;
