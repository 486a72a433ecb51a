import { Injectable } from '@nestjs/common';
import { Database } from '../platform/database/database';
import type { UsageCost, UsageFigures } from '../gateway/usage/usage-figures';
import { COUNTER_COLUMNS, countersOfDelta } from './usage-columns';
import { grainRanges, stretches, wholeQuarters, type Stretch, type TimeGroup } from './usage-period';

/** What rows can be told apart by; at most one of the times. */
export type UsageDimension = TimeGroup | 'channel' | 'config' | 'tenant';

export interface UsageQuery {
  /** Milliseconds since the epoch. Moved back to a whole quarter of an hour: figures are kept by quarters. */
  from: number;
  /** Exclusive; moved forward to a whole quarter of an hour. */
  to: number;
  /** IANA name: where hours, days and months begin. Default UTC. */
  timeZone?: string;
  /** Default: one row for all. */
  groupBy?: readonly UsageDimension[];
  /** Only these accounts. `''` stands for messages that no gateway was asked for. */
  configIds?: readonly string[];
  channel?: string;
}

/** Figures of one group. What the groups are not told apart by is null. */
export interface UsageRow {
  /** The part of the period; all of it when it is not grouped by time. Milliseconds since the epoch. */
  from: number;
  to: number;
  /** What that part is called in the time zone: `2026-03-29T03:00+02:00`, `2026-03-29`, `2026-03`; '' when it is not grouped by time. */
  name: string;
  clientId: string | null;
  /** `''`: no gateway was asked. */
  configId: string | null;
  channel: string | null;
  figures: UsageFigures;
}

type Column = (typeof COUNTER_COLUMNS)[number];
interface GroupRow {
  k: number;
  client_id?: string;
  config_id?: string;
  channel?: string;
}
type CounterRow = GroupRow & Record<Column, number>;
type CostRow = GroupRow & { currency: string; amount: string };

const DIMENSION_COLUMNS = { tenant: 'client_id', config: 'config_id', channel: 'channel' } as const;

/**
 * Reads what was sent. Figures are exact up to the last commit: what is not added to the counters yet is added here. A year is a few thousand rows.
 */
@Injectable()
export class UsageReader {
  constructor(private readonly database: Database) {}

  /**
   * Figures of one tenant, or of all (`null`: the operator's view).
   * @returns the groups that have figures, by time, then tenant, config and channel. Grouped by time alone: every part of the period; by nothing: one row.
   */
  async read(clientId: string | null, query: UsageQuery): Promise<UsageRow[]> {
    const groupBy = query.groupBy ?? [];
    const period = wholeQuarters(query);
    const parts = stretches(period, groupBy.find(isTime), query.timeZone ?? 'UTC');
    const columns = groupBy.flatMap((group) => (isTime(group) ? [] : [DIMENSION_COLUMNS[group]]));
    const values = valuesOf(clientId, query, period, parts);
    const [counters, costs] = await this.run(clientId, async (ask) => [
      await ask<CounterRow>(countersSql(columns), values),
      await ask<CostRow>(costsSql(columns), values),
    ]);
    const rows = new Map<string, UsageRow>();
    const rowOf = (group: GroupRow): UsageRow => {
      const key = [group.k, ...columns.map((column) => group[column])].join('\n');
      let row = rows.get(key);
      if (!row) {
        const part = parts[group.k - 1]!;
        row = {
          ...part,
          clientId: group.client_id ?? null,
          configId: group.config_id ?? null,
          channel: group.channel ?? null,
          figures: figuresOf({}),
        };
        rows.set(key, row);
      }
      return row;
    };
    for (const counter of counters) rowOf(counter).figures = figuresOf(counter);
    for (const { currency, amount, ...group } of costs) rowOf(group).figures.cost.push({ currency, amount });
    // What was moved to another account leaves nothing behind.
    for (const [key, row] of rows) if (isNothing(row.figures)) rows.delete(key);
    // Times alone, or nothing, to tell groups by: then each is there, whether or not anything was sent.
    if (columns.length === 0) parts.forEach((_, index) => rowOf({ k: index + 1 }));
    return [...rows.values()].sort(inOrder);
  }

  private run<T>(
    clientId: string | null,
    work: (ask: <Row>(sql: string, values: readonly unknown[]) => Promise<Row[]>) => Promise<T>,
  ): Promise<T> {
    if (clientId === null) return this.database.transaction((tx) => work((sql, values) => tx.query(sql, values)));
    return this.database.tenant(clientId, (tx) => work((sql, values) => tx.query(sql, values)));
  }
}

function isTime(group: UsageDimension): group is TimeGroup {
  return group === 'hour' || group === 'day' || group === 'month';
}

function valuesOf(
  clientId: string | null,
  { configIds, channel }: UsageQuery,
  period: Stretch,
  parts: readonly Stretch[],
): unknown[] {
  const ranges = grainRanges(parts);
  const time = (at: number): string => new Date(at).toISOString();
  return [
    clientId,
    ranges.map(({ grain }) => grain),
    ranges.map(({ from }) => time(from)),
    ranges.map(({ to }) => time(to)),
    parts.map(({ from }) => time(from)),
    time(period.from),
    time(period.to),
    configIds ?? null,
    channel ?? null,
  ];
}

/** `t.` is a table of counters or changes. */
const NARROWED = `($8::text[] IS NULL OR t.config_id = ANY($8)) AND ($9::text IS NULL OR t.channel = $9)`;

/**
 * Rows of a table of counters that cover the period, one look into the index a range and tenant; then what is not added to them yet.
 * OFFSET 0 keeps it so: PostgreSQL would rather read all grains of a tenant at once.
 */
const source = (table: string, columns: string, ofDelta: string, onlyDeltas: string): string =>
  `SELECT width_bucket(t.bucket, $5::timestamptz[]) AS k, t.client_id, t.config_id, t.channel, ${columns}
   FROM (SELECT client_id FROM tenants WHERE $1::text IS NULL OR client_id = $1) n
   CROSS JOIN unnest($2::smallint[], $3::timestamptz[], $4::timestamptz[]) AS r(grain, from_at, to_at)
   CROSS JOIN LATERAL (
     SELECT * FROM ${table} c WHERE c.client_id = n.client_id AND c.grain = r.grain AND c.bucket >= r.from_at AND c.bucket < r.to_at OFFSET 0) t
   WHERE ${NARROWED}
   UNION ALL
   SELECT width_bucket(t.bucket, $5::timestamptz[]), t.client_id, t.config_id, t.channel, ${ofDelta}
   FROM usage_deltas t
   WHERE ($1::text IS NULL OR t.client_id = $1) AND t.bucket >= $6 AND t.bucket < $7 AND ${NARROWED} ${onlyDeltas}`;

const grouping = (columns: readonly string[]): string => ['k', ...columns].join(', ');

function countersSql(columns: readonly string[]): string {
  const sums = COUNTER_COLUMNS.map((column) => `sum(${column})::float8 AS ${column}`).join(', ');
  return `SELECT ${grouping(columns)}, ${sums}
    FROM (${source('usage_counters', COUNTER_COLUMNS.join(', '), countersOfDelta('t').join(', '), '')}) u
    GROUP BY ${grouping(columns)}`;
}

function costsSql(columns: readonly string[]): string {
  return `SELECT ${grouping(columns)}, currency, sum(amount)::text AS amount
    FROM (${source('usage_costs', 'currency, amount', 't.currency, t.amount', 'AND t.currency IS NOT NULL')}) u
    GROUP BY ${grouping(columns)}, currency HAVING sum(amount) <> 0 ORDER BY currency`;
}

function figuresOf(row: Partial<Record<Column, number>>): UsageFigures {
  const of = (column: Column): number => row[column] ?? 0;
  const delivered = of('delivered') + of('read');
  const failed = of('failed') + of('undelivered');
  const cost: UsageCost[] = [];
  return {
    sends: of('sent') + delivered + failed,
    sent: of('sent'),
    delivered,
    read: of('read'),
    failed,
    undelivered: of('undelivered'),
    expired: of('expired'),
    canceled: of('canceled'),
    segments: of('segments'),
    opens: of('opens'),
    uniqueOpens: of('unique_opens'),
    machineOpens: of('machine_opens'),
    clicks: of('clicks'),
    uniqueClicks: of('unique_clicks'),
    machineClicks: of('machine_clicks'),
    bounces: of('bounces'),
    complaints: of('complaints'),
    unsubscribes: of('unsubscribes'),
    inbound: of('inbound'),
    cost,
  };
}

function isNothing(figures: UsageFigures): boolean {
  return Object.values(figures).every((value) => value === 0 || (Array.isArray(value) && value.length === 0));
}

function inOrder(one: UsageRow, other: UsageRow): number {
  return (
    one.from - other.from ||
    compare(one.clientId, other.clientId) ||
    compare(one.configId, other.configId) ||
    compare(one.channel, other.channel)
  );
}

function compare(one: string | null, other: string | null): number {
  return (one ?? '') < (other ?? '') ? -1 : (one ?? '') > (other ?? '') ? 1 : 0;
}
