import type { MessageStatus } from '../../kernel/channel';

/** Statuses that are counted. What waits, and what is only simulated, is not. */
export const COUNTED_STATUSES = ['sent', 'delivered', 'read', 'undelivered', 'failed', 'expired', 'canceled'] as const;
const COUNTED: ReadonlySet<string> = new Set(COUNTED_STATUSES);

/** Of those, the ones that are sends: a provider had the message, or it ended as failed. */
export const SEND_STATUSES = ['sent', 'delivered', 'read', 'undelivered', 'failed'] as const;
const SENDS: ReadonlySet<string> = new Set(SEND_STATUSES);

/** What decides how a message counts. */
export interface CountedMessage {
  status: MessageStatus;
  config_id: string | null;
  /** The account of its last attempt. */
  attempted_config: string | null;
  segments: number | null;
  cost_amount: string | null;
  cost_currency: string | null;
}

/** How one message counts: under which account and status, with which parts and price. */
export interface Contribution {
  configId: string;
  status: string;
  segments: number;
  currency: string;
  amount: string;
}

/** How a message counts. Its status and currency are '' while there is nothing to count. {@link CONTRIBUTION_CONFIG} says the same in SQL. */
export function contributionOf(message: CountedMessage): Contribution {
  const { status, cost_amount: amount, cost_currency: currency } = message;
  const priced = amount !== null && currency !== null;
  return {
    configId: message.config_id ?? (status === 'failed' ? message.attempted_config : null) ?? '',
    status: COUNTED.has(status) ? status : '',
    segments: SENDS.has(status) ? (message.segments ?? 0) : 0,
    currency: priced ? currency : '',
    amount: priced ? amount : '',
  };
}

/** The account that a message counts for: the one that took it; a failed one counts for the account that was asked last. */
export const CONTRIBUTION_CONFIG = `coalesce(m.config_id, CASE WHEN m.status = 'failed' THEN m.attempts -> -1 ->> 'config_id' END, '')`;

/** The columns of `usage_deltas` that come from a message's `engagement`, and what of it they hold. */
export function engagementColumns(engagement: string): Array<[column: string, value: string]> {
  const count = (name: string): [string, string] => [name, `coalesce((${engagement} ->> '${name}')::int, 0)`];
  const once = (column: string, name: string): [string, string] => [
    column,
    `(${engagement} ->> '${name}' IS NOT NULL)::int`,
  ];
  return [
    count('opens'),
    once('unique_opens', 'first_opened_at'),
    count('machine_opens'),
    count('clicks'),
    once('unique_clicks', 'first_clicked_at'),
    count('machine_clicks'),
    count('bounces'),
    count('complaints'),
    count('unsubscribes'),
  ];
}
