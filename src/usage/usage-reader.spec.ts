import { silentLogger } from '../kernel/logger';
import { MetricsRegistry } from '../platform/observability/metrics-registry';
import { createTestDatabase, type TestDatabase } from '../../test/support/test-database';
import { QUARTER_MS } from './usage-period';
import { UsageReader, type UsageDimension, type UsageQuery } from './usage-reader';
import { UsageRollup } from './usage-rollup';

const START = Date.parse('2026-03-01T00:00:00Z');
const END = Date.parse('2026-04-10T00:00:00Z');
const CLIENTS = ['one_aaaaaaaaaaaa', 'two_aaaaaaaaaaaa'];

interface Change {
  client_id: string;
  bucket: number;
  config_id: string;
  channel: string;
  status: string | null;
  messages: number;
  segments: number;
  opens: number;
  currency: string | null;
  amount: number | null;
}

/** Deterministic: the same changes in each run. */
function changes(count: number): Change[] {
  let state = 42;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return Array.from({ length: count }, () => {
    const paid = next(4) === 0;
    return {
      client_id: CLIENTS[next(2)]!,
      bucket: START + next((END - START) / QUARTER_MS) * QUARTER_MS,
      config_id: ['', 'cfg_a', 'cfg_b'][next(3)]!,
      channel: ['sms', 'email'][next(2)]!,
      status: ['sent', 'delivered', 'read', 'undelivered', 'failed', 'expired', null][next(7)]!,
      messages: 1 + next(5),
      segments: next(9),
      opens: next(3),
      currency: paid ? ['EUR', 'USD'][next(2)]! : null,
      amount: paid ? next(1000) : null,
    };
  });
}

describe('UsageReader', () => {
  let db: TestDatabase;
  let reader: UsageReader;
  const all = changes(6_000);

  beforeAll(async () => {
    db = await createTestDatabase({ poolSize: 4 });
    reader = new UsageReader(db.database);
    for (const clientId of CLIENTS)
      await db.database.execute(
        `INSERT INTO tenants (client_id, name, slug, status, quotas, allowed_secret_refs, webhook_signing_secret, settings, created_at, updated_at)
         VALUES ($1, 'T', 't', 'active', '{}', '{}', '', '{}', now(), now())`,
        [clientId],
      );
    const insert = (part: Change[]) =>
      db.database.execute(
        `INSERT INTO usage_deltas (client_id, bucket, config_id, channel, status, messages, segments, opens, currency, amount)
         SELECT client_id, to_timestamp(bucket / 1000.0), config_id, channel, status, messages, segments, opens, currency, amount / 1000.0
         FROM jsonb_to_recordset($1::jsonb) AS r(client_id text, bucket float8, config_id text, channel text, status text, messages int, segments int,
           opens int, currency text, amount numeric)`,
        [JSON.stringify(part)],
      );
    await insert(all.slice(0, 5_000));
    await new UsageRollup(db.database, new MetricsRegistry(), silentLogger).run();
    // What is not in the counters yet counts as well.
    await insert(all.slice(5_000));
    await db.database.query('ANALYZE');
  });

  afterAll(() => db.drop());

  /** Counted one by one, in the given groups. */
  function expected(query: UsageQuery, keyOf: (change: Change) => string, clientId?: string) {
    const groups: Record<string, { sends: number; delivered: number; segments: number; opens: number; eur: number }> =
      {};
    for (const change of all) {
      if (clientId !== undefined && change.client_id !== clientId) continue;
      if (change.bucket < query.from || change.bucket >= query.to) continue;
      if (query.channel !== undefined && change.channel !== query.channel) continue;
      if (query.configIds && !query.configIds.includes(change.config_id)) continue;
      const group = (groups[keyOf(change)] ??= { sends: 0, delivered: 0, segments: 0, opens: 0, eur: 0 });
      const { status } = change;
      if (status !== null && status !== 'expired') group.sends += change.messages;
      if (status === 'delivered' || status === 'read') group.delivered += change.messages;
      group.segments += change.segments;
      group.opens += change.opens;
      if (change.currency === 'EUR') group.eur += change.amount!;
    }
    return groups;
  }

  async function found(
    clientId: string | null,
    query: UsageQuery,
    keyOf: (row: Awaited<ReturnType<UsageReader['read']>>[number]) => string,
  ) {
    const rows = await reader.read(clientId, query);
    return Object.fromEntries(
      rows.map((row) => {
        const { sends, delivered, segments, opens, cost } = row.figures;
        const eur = Math.round(Number(cost.find(({ currency }) => currency === 'EUR')?.amount ?? 0) * 1000);
        return [keyOf(row), { sends, delivered, segments, opens, eur }];
      }),
    );
  }

  const period = { from: Date.parse('2026-03-03T07:15:00Z'), to: Date.parse('2026-04-07T22:45:00Z') };

  it.each(['UTC', 'Europe/Rome', 'Asia/Kathmandu', 'America/New_York', 'Australia/Lord_Howe'])(
    'cuts days where they begin in %s',
    async (timeZone) => {
      const format = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' });
      const query: UsageQuery = { ...period, timeZone, groupBy: ['day'] };
      const rows = await found(CLIENTS[0]!, query, ({ from }) => format.format(from));
      expect(rows).toEqual(expected(query, ({ bucket }) => format.format(bucket), CLIENTS[0]));
      expect(Object.keys(rows).length).toBeGreaterThanOrEqual(36);
    },
  );

  it('cuts hours by the offset, so that one that comes twice is two', async () => {
    const query: UsageQuery = { from: START, to: END, timeZone: 'Asia/Kathmandu', groupBy: ['hour'] };
    const hour = (at: number) => String(Math.floor((at + 345 * 60_000) / 3_600_000));
    const rows = await found(CLIENTS[0]!, query, ({ from }) => hour(from));
    const counted = expected(query, ({ bucket }) => hour(bucket), CLIENTS[0]);
    expect(
      Object.fromEntries(
        Object.entries(rows).filter(
          ([key, { opens, sends, segments, eur }]) => key in counted || opens + sends + segments + eur > 0,
        ),
      ),
    ).toEqual(counted);
  });

  it.each([
    [['month'] as UsageDimension[], (row: { from: number }) => new Date(row.from).toISOString().slice(0, 7)],
    [[] as UsageDimension[], () => 'all'],
  ])('groups by %j', async (groupBy, keyOf) => {
    const query: UsageQuery = { ...period, groupBy };
    const rows = await found(CLIENTS[1]!, query, keyOf);
    expect(rows).toEqual(expected(query, ({ bucket }) => keyOf({ from: bucket }), CLIENTS[1]));
  });

  it('groups by config and channel, of all tenants or one, and narrows to accounts and a channel', async () => {
    const query: UsageQuery = { ...period, groupBy: ['tenant', 'config', 'channel'] };
    expect(await found(null, query, (row) => `${row.clientId} ${row.configId} ${row.channel}`)).toEqual(
      expected(query, (change) => `${change.client_id} ${change.config_id} ${change.channel}`),
    );
    const narrow: UsageQuery = { ...period, configIds: ['cfg_a', ''], channel: 'sms', groupBy: ['config'] };
    expect(await found(CLIENTS[0]!, narrow, (row) => row.configId!)).toEqual(
      expected(narrow, (change) => change.config_id, CLIENTS[0]),
    );
  });

  it('shows times without figures as noughts, and other groups not at all', async () => {
    const year = { from: Date.parse('2020-01-01T00:00:00Z'), to: Date.parse('2020-02-01T00:00:00Z') };
    const days = await reader.read(CLIENTS[0]!, { ...year, groupBy: ['day'] });
    expect(days).toHaveLength(31);
    expect(days[0]).toMatchObject({ figures: { sends: 0, cost: [] }, configId: null });
    expect(await reader.read(CLIENTS[0]!, { ...year, groupBy: ['config'] })).toEqual([]);
    expect(await reader.read('nobody_aaaaaaaaaaaa', year)).toHaveLength(1);
  });
});
