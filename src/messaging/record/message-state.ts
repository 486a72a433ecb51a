import type { MessageStatus } from '../../kernel/channel';

/**
 * The order of statuses. A status never goes backwards, whatever order reports come in and however often: a report is applied
 * when its rank is higher than what is there. `delivered` and `read` outrank every failure, so a late delivery report wins over
 * `undelivered`, `failed` and `expired`; two failures have one rank, so the first stays.
 */
const RANK: Record<MessageStatus, number> = {
  scheduled: 0,
  queued: 1,
  sending: 2,
  sent: 3,
  undelivered: 4,
  failed: 4,
  expired: 4,
  delivered: 5,
  read: 6,
  // Decided by the client before anything was sent: nothing a provider says changes them.
  canceled: 9,
  simulated: 9,
};

const FINAL: ReadonlySet<MessageStatus> = new Set([
  'delivered',
  'read',
  'undelivered',
  'failed',
  'expired',
  'canceled',
  'simulated',
]);

/** Whether a reported status replaces the current one. */
export function advances(current: MessageStatus, reported: MessageStatus): boolean {
  return RANK[reported] > RANK[current];
}

/** Whether no further change is expected. A late `delivered` or `read` may still come. */
export function isFinal(status: MessageStatus): boolean {
  return FINAL.has(status);
}

/**
 * The status of a message that a provider split into parts with ids of their own: delivered (or read) when all parts are, undelivered or failed
 * as soon as one part is for good, else sent. A part's own status follows {@link advances}.
 */
export function statusOfParts(parts: Readonly<Record<string, MessageStatus>>): MessageStatus {
  const statuses = Object.values(parts);
  const failure = statuses.find((status) => status === 'undelivered' || status === 'failed');
  if (failure) return failure;
  if (statuses.every((status) => status === 'read')) return 'read';
  if (statuses.every((status) => status === 'delivered' || status === 'read')) return 'delivered';
  return 'sent';
}
