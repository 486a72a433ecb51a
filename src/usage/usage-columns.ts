import { COUNTED_STATUSES } from '../messaging/metering/contribution';

/** Whole numbers that a change carries as they are. */
export const PLAIN_COLUMNS = [
  'segments',
  'opens',
  'unique_opens',
  'machine_opens',
  'clicks',
  'unique_clicks',
  'machine_clicks',
  'bounces',
  'complaints',
  'unsubscribes',
  'inbound',
] as const;

/** The whole numbers of `usage_counters`. */
export const COUNTER_COLUMNS = [...COUNTED_STATUSES, ...PLAIN_COLUMNS] as const;

/** What a row of `usage_deltas` adds to each of {@link COUNTER_COLUMNS}, in their order. */
export function countersOfDelta(table: string): string[] {
  return [
    ...COUNTED_STATUSES.map((status) => `CASE WHEN ${table}.status = '${status}' THEN ${table}.messages ELSE 0 END`),
    ...PLAIN_COLUMNS.map((column) => `${table}.${column}`),
  ];
}
