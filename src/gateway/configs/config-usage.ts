import type { Database } from '../../platform/database/database';

/** What one config has sent in a period. */
export interface ConfigUsage {
  sends: number;
  delivered: number;
  failed: number;
  segments: number;
  cost: Array<{ currency: string; amount: string }>;
}

interface UsageRow {
  config_id: string;
  status: string;
  currency: string | null;
  messages: number;
  segments: number;
  amount: string | null;
}

const DELIVERED = new Set(['delivered', 'read']);
const FAILED = new Set(['undelivered', 'failed']);

/** Counts what configs have sent, from the message records. */
export class ConfigUsageReader {
  constructor(private readonly database: Database) {}

  /** By config id; every id that is asked for is there. */
  async of(clientId: string, configIds: readonly string[], from: Date, to: Date): Promise<Map<string, ConfigUsage>> {
    const usage = new Map<string, ConfigUsage>(
      configIds.map((id) => [id, { sends: 0, delivered: 0, failed: 0, segments: 0, cost: [] }]),
    );
    if (configIds.length === 0) return usage;
    const rows = await this.database.tenant(clientId, (tx) =>
      tx.query<UsageRow>(
        `SELECT config_id, status, cost_currency AS currency, count(*)::int AS messages,
           coalesce(sum(segments), 0)::int AS segments, sum(cost_amount)::text AS amount
         FROM messages
         WHERE client_id = $1 AND config_id = ANY ($2) AND created_at >= $3 AND created_at < $4
           AND status IN ('sent', 'delivered', 'read', 'undelivered', 'failed')
         GROUP BY 1, 2, 3 ORDER BY 1, 3`,
        [clientId, configIds, from, to],
      ),
    );
    const amounts = new Map<string, Map<string, string[]>>();
    for (const row of rows) {
      const one = usage.get(row.config_id)!;
      one.sends += row.messages;
      one.segments += row.segments;
      if (DELIVERED.has(row.status)) one.delivered += row.messages;
      if (FAILED.has(row.status)) one.failed += row.messages;
      if (row.currency === null || row.amount === null) continue;
      const ofConfig = amounts.get(row.config_id) ?? new Map<string, string[]>();
      amounts.set(row.config_id, ofConfig.set(row.currency, [...(ofConfig.get(row.currency) ?? []), row.amount]));
    }
    for (const [configId, byCurrency] of amounts)
      usage.get(configId)!.cost = [...byCurrency].map(([currency, parts]) => ({
        currency,
        amount: addDecimals(parts),
      }));
    return usage;
  }
}

/** Adds decimals in text exactly; money is never a float. */
export function addDecimals(parts: readonly string[]): string {
  const places = Math.max(...parts.map((part) => part.split('.')[1]?.length ?? 0));
  const total = parts.reduce((sum, part) => {
    const [whole, fraction = ''] = part.replace('-', '').split('.');
    const value = BigInt(whole! + fraction.padEnd(places, '0'));
    return part.startsWith('-') ? sum - value : sum + value;
  }, 0n);
  const digits = (total < 0n ? -total : total).toString().padStart(places + 1, '0');
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return total < 0n ? `-${text}` : text;
}
