import type { SealedColumn } from '../../platform/secrets/resealer';
import type { WebhookFormat } from './webhook-event';

/** A row of `webhook_endpoints` without what concerns its lane. Times in milliseconds. */
export interface EndpointRow {
  id: string;
  client_id: string;
  url: string;
  /** `['*']` or names of EVENT_TYPES. */
  events: string[];
  description: string | null;
  enabled: boolean;
  format: WebhookFormat;
  /** Sealed. */
  secret: string;
  previous_secret: string | null;
  previous_secret_until: number | null;
  failing_since: number | null;
  disabled_at: number | null;
  disabled_reason: string | null;
  created_at: number;
  updated_at: number;
}

const ms = (column: string): string => `(extract(epoch FROM e.${column}) * 1000)::float8 AS ${column}`;

/** Select list of an {@link EndpointRow} from `webhook_endpoints e`. */
export const ENDPOINT_COLUMNS = `e.id, e.client_id, e.url, e.events, e.description, e.enabled, e.format, e.secret, e.previous_secret,
  ${['previous_secret_until', 'failing_since', 'disabled_at'].map(ms).join(', ')}, e.disabled_reason, ${ms('created_at')}, ${ms('updated_at')}`;

/** A row with how far its lane has come. */
export interface LaneRow extends EndpointRow {
  cursor_tx: string;
  cursor_seq: string;
  /** As PostgreSQL writes it, to the microsecond. */
  cursor_floor: string;
  failures_in_row: number;
  next_retry_at: number | null;
}

/** Select list of a {@link LaneRow} from `webhook_endpoints e`. */
export const LANE_COLUMNS = `${ENDPOINT_COLUMNS}, e.cursor_tx::text, e.cursor_seq::text, e.cursor_floor::text, e.failures_in_row, ${ms('next_retry_at')}`;

/** Where a secret is sealed to, so that it opens nowhere else. */
export function secretContext(endpointId: string): string {
  return `webhook_endpoints.secret:${endpointId}`;
}

/** What webhook endpoints seal. */
export const WEBHOOK_SEALED: readonly SealedColumn[] = ['secret', 'previous_secret'].map((column) => ({
  table: 'webhook_endpoints',
  key: 'id',
  column,
  context: ({ key }) => secretContext(key),
}));

/** Takes every type of event. */
export function takesAll(events: readonly string[]): boolean {
  return events.includes('*');
}

/** The longest that an endpoint may only fail before it is disabled. */
export const DISABLE_AFTER_MS = 5 * 24 * 3600_000;
