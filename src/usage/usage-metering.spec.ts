import { createTestDatabase, type TestDatabase } from '../../test/support/test-database';
import { until } from '../../test/support/until';
import type { EngagementEvent } from '../gateway/contracts/callback';
import type { MessageStatus } from '../kernel/channel';
import { OutcomeRecorder } from '../gateway/budget/outcome-recorder';
import { systemClock } from '../kernel/clock';
import { messageIdTime, newId } from '../kernel/ids';
import { silentLogger } from '../kernel/logger';
import { EngagementWriter } from '../messaging/record/engagement-writer';
import { MessageSignal } from '../messaging/record/message-signal';
import { MessageWriter } from '../messaging/record/message-writer';
import type { AttemptRecord, DispatchOutcome, MessageState } from '../messaging/record/message.types';
import type { SuppressionDirectory } from '../messaging/suppression/suppression-directory';
import { Database } from '../platform/database/database';
import { createDataSource } from '../platform/database/data-source';
import { EventSignal, EventStore } from '../platform/events/event-store';
import { MetricsRegistry } from '../platform/observability/metrics-registry';
import type { TenantDirectory } from '../tenancy/tenant-directory';
import { Usage1763900400000 } from '../../migrations/1763900400000-usage';
import { UsageReader } from './usage-reader';
import { UsageRebuild } from './usage-rebuild';
import { UsageRollup } from './usage-rollup';

const CLIENT = 'acme_0123456789ab';
const CONFIGS = ['cfg_a', 'cfg_b'];
const DAY_MS = 86_400_000;

function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('metering', () => {
  let test: TestDatabase;
  let database: Database;
  let writer: MessageWriter;
  let engagement: EngagementWriter;
  let reader: UsageReader;

  beforeAll(async () => {
    test = await createTestDatabase();
    ({ database } = test);
    const signal = new EventSignal();
    const suppressions = { added: () => undefined } as unknown as SuppressionDirectory;
    const outcomes = new OutcomeRecorder(database, systemClock, silentLogger);
    writer = new MessageWriter(database, signal, new MessageSignal(), suppressions, outcomes, systemClock);
    writer.holder = 'wrk_me';
    engagement = new EngagementWriter(new EventStore(signal));
    reader = new UsageReader(database);
    await database.execute(
      `INSERT INTO tenants (client_id, name, slug, status, quotas, allowed_secret_refs, webhook_signing_secret, settings, created_at, updated_at)
       VALUES ($1, 'T', 't', 'active', '{}', '{}', '', '{}', now(), now())`,
      [CLIENT],
    );
  });

  afterAll(() => test.drop());

  beforeEach(async () => {
    await database.query('TRUNCATE messages, message_queue, usage_deltas, usage_counters, usage_costs');
  });

  const rollup = (on = database) => new UsageRollup(on, new MetricsRegistry(), silentLogger);

  async function stored(channel: string, segments: number | null): Promise<MessageState> {
    const id = newId('message');
    const at = messageIdTime(id);
    await database.query(
      `INSERT INTO messages (id, created_at, client_id, channel, status, recipient, content, priority, segments, expires_at, updated_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, $4, 'queued', 'ada@example.com', '{}', 1, $5, now() + interval '1 hour', now())`,
      [id, at, CLIENT, channel, segments],
    );
    await database.query(
      `INSERT INTO message_queue (message_id, message_created_at, client_id, lane, priority, due_at, claimed_by, claimed_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'cfg_a', 1, now(), 'wrk_me', now())`,
      [id, at, CLIENT],
    );
    return {
      id,
      client_id: CLIENT,
      channel,
      status: 'queued',
      recipient: 'ada@example.com',
      reference: null,
      metadata: null,
      config_id: null,
      external_id: null,
      parts: null,
      segments,
      cost_amount: null,
      cost_currency: null,
      attempted_config: null,
      possible_duplicate: false,
      version: 0,
    };
  }

  function outcome(
    state: MessageState,
    configId: string,
    next: DispatchOutcome['next'],
    how: AttemptRecord['outcome'],
  ) {
    const now = new Date().toISOString();
    const attempt = { gateway: 'acme', config_id: configId, started_at: now, finished_at: now, outcome: how };
    const { id, channel, recipient } = state;
    const message = { id, createdAt: messageIdTime(id)!, clientId: CLIENT, channel, recipient, priority: 1, state };
    return writer.apply({
      kind: 'dispatch',
      outcome: { message: message as DispatchOutcome['message'], attempt, next },
    });
  }

  const sent = (state: MessageState, configId: string, more: object = {}) =>
    outcome(
      state,
      configId,
      { type: 'sent', gateway: 'acme', configId, externalId: `x${state.id}`, status: 'sent', ...more },
      'accepted',
    );

  const failed = (state: MessageState, configId: string) =>
    outcome(
      state,
      configId,
      { type: 'final', status: 'failed', errorCode: 'invalid_recipient', errorMessage: 'no' },
      'recipient_permanent',
    );

  const report = (state: MessageState, configId: string, status: MessageStatus, more: object = {}) =>
    writer.apply({
      kind: 'report',
      report: {
        messageId: state.id,
        clientId: CLIENT,
        configId,
        gateway: 'acme',
        status,
        occurredAt: Date.now(),
        ...more,
      },
    });

  const did = (state: MessageState, type: EngagementEvent['type']) =>
    database.transaction((tx) =>
      engagement.applyIn(tx, [
        {
          messageId: state.id,
          clientId: CLIENT,
          gateway: 'acme',
          event: { kind: 'engagement', type } as EngagementEvent,
          occurredAt: Date.now(),
        },
      ]),
    );

  /** Counted from the messages, one by one. */
  async function counted(): Promise<Record<string, Record<string, number>>> {
    const rows = await database.query<{
      status: string;
      config_id: string | null;
      segments: number | null;
      cost_amount: string | null;
      attempts: AttemptRecord[];
      engagement: Record<string, number> | null;
    }>('SELECT status, config_id, segments, cost_amount, attempts, engagement FROM messages');
    const groups: Record<string, Record<string, number>> = {};
    for (const row of rows) {
      const config = row.config_id ?? (row.status === 'failed' ? row.attempts.at(-1)?.config_id : undefined) ?? '';
      const group = (groups[config] ??= {
        sends: 0,
        delivered: 0,
        failed: 0,
        segments: 0,
        opens: 0,
        uniqueOpens: 0,
        clicks: 0,
        microCost: 0,
      });
      const send = !['queued', 'expired', 'canceled'].includes(row.status);
      if (send) group.sends! += 1;
      if (send) group.segments! += row.segments ?? 0;
      if (['delivered', 'read'].includes(row.status)) group.delivered! += 1;
      if (['failed', 'undelivered'].includes(row.status)) group.failed! += 1;
      group.opens! += row.engagement?.opens ?? 0;
      group.uniqueOpens! += row.engagement?.first_opened_at ? 1 : 0;
      group.clicks! += row.engagement?.clicks ?? 0;
      group.microCost! += Math.round(Number(row.cost_amount ?? 0) * 1e6);
    }
    return Object.fromEntries(Object.entries(groups).filter(([, group]) => Object.values(group).some((n) => n !== 0)));
  }

  async function read(): Promise<Record<string, Record<string, number>>> {
    const now = Date.now();
    const rows = await reader.read(CLIENT, { from: now - DAY_MS, to: now + DAY_MS, groupBy: ['config'] });
    return Object.fromEntries(
      rows.map(({ configId, figures }) => {
        const { sends, delivered, failed: failures, segments, opens, uniqueOpens, clicks, cost } = figures;
        const microCost = Math.round(Number(cost[0]?.amount ?? 0) * 1e6);
        return [configId!, { sends, delivered, failed: failures, segments, opens, uniqueOpens, clicks, microCost }];
      }),
    );
  }

  it('agrees with the messages after any history: accounts that change, prices and parts told later, opens before the answer', async () => {
    const roll = dice(11);
    const adding = rollup();
    for (let round = 0; round < 12; round++) {
      const states = await Promise.all(
        Array.from({ length: 12 }, (_, n) => stored(n % 2 === 0 ? 'email' : 'sms', n % 3 || null)),
      );
      for (let step = 0; step < 6; step++) {
        await Promise.all(
          states.map(async (state) => {
            const config = CONFIGS[roll(2)]!;
            const money = { cost: { amount: ['0.0075', '0.10', '1'][roll(3)]!, currency: 'EUR' } };
            switch (roll(9)) {
              case 0:
              case 1:
                return sent(state, config, roll(2) === 0 ? { segments: 1 + roll(3) } : {});
              case 2:
                return sent(state, config, money);
              case 3:
                return failed(state, config);
              case 4:
                return report(state, config, 'delivered', roll(2) === 0 ? money : {});
              case 5:
                return report(state, config, (['undelivered', 'read', 'sent', 'expired'] as const)[roll(4)]!);
              case 6:
                return report(state, config, 'queued', { ...money, segments: 1 + roll(4) });
              default:
                return state.channel === 'email' ? did(state, roll(3) === 0 ? 'clicked' : 'opened') : undefined;
            }
          }),
        );
        expect(await read()).toEqual(await counted());
        if (roll(2) === 0) await adding.run();
      }
    }
    const before = await read();
    expect(before.cfg_a!.microCost).toBeGreaterThan(0);
    expect(before.cfg_b!.opens).toBeGreaterThan(0);
    expect(before).toEqual(await counted());
    const tenants = {
      get: async () => ({ settings: { retention: { recordDays: null } } }),
    } as unknown as TenantDirectory;
    const rebuild = new UsageRebuild(database, tenants, adding, systemClock);
    const from = new Date(Date.now() - DAY_MS).toISOString();
    await rebuild.rebuild({ client_id: CLIENT, from, to: new Date(Date.now() + 1000).toISOString() });
    expect(await read()).toEqual(before);
  });

  it('counts what was there before anything was counted', async () => {
    const states = await Promise.all(Array.from({ length: 12 }, (_, n) => stored(n % 2 === 0 ? 'email' : 'sms', 2)));
    const cost = { amount: '0.0075', currency: 'EUR' };
    await Promise.all(
      states.map((state, n) => (n % 4 === 0 ? failed(state, 'cfg_b') : sent(state, 'cfg_a', { cost }))),
    );
    await Promise.all(states.filter(({ channel }) => channel === 'email').map((state) => did(state, 'opened')));
    const migration = new Usage1763900400000();
    const runner = database.dataSource.createQueryRunner();
    try {
      await runner.startTransaction();
      await migration.down(runner);
      await migration.up(runner);
      await runner.commitTransaction();
    } finally {
      await runner.release();
    }
    expect(await read()).toEqual(await counted());
    await Promise.all(states.map((state) => report(state, 'cfg_a', 'delivered')));
    expect(await read()).toEqual(await counted());
  });

  it('writes a row or two for a whole flush, and none for a repeat', async () => {
    const states = await Promise.all(Array.from({ length: 40 }, () => stored('sms', 1)));
    const rows = async () => (await database.query<{ n: number }>('SELECT count(*)::int AS n FROM usage_deltas'))[0]!.n;
    await Promise.all(states.map((state) => sent(state, 'cfg_a')));
    const written = await rows();
    expect(written).toBeLessThan(10);
    await Promise.all(states.map((state) => report(state, 'cfg_a', 'sent')));
    expect(await rows()).toBe(written);
    expect(await read()).toMatchObject({ cfg_a: { sends: 40, delivered: 0, segments: 40 } });
  });

  it('keeps what was counted when a roll-up dies in the middle of a batch, and while two run', async () => {
    for (let round = 0; round < 3; round++) {
      const states = await Promise.all(Array.from({ length: 10 }, () => stored('sms', 2)));
      await Promise.all(states.map((state) => sent(state, 'cfg_a')));
      await rollup().run();
    }
    const states = await Promise.all(Array.from({ length: 10 }, () => stored('sms', 2)));
    await Promise.all(states.map((state) => sent(state, 'cfg_a')));
    const expected = await counted();
    const doomed = createDataSource({ url: test.url, poolSize: 1 });
    await doomed.initialize();
    try {
      // It has taken its changes out and waits for a counter that somebody holds.
      await database.transaction(async (tx) => {
        await tx.query('SELECT 1 FROM usage_counters FOR UPDATE');
        const dying = rollup(new Database(doomed))
          .run()
          .then(
            () => 'ended',
            () => 'died',
          );
        await until('the roll-up is in the middle', async () => {
          const killed = await database.query<{ killed: boolean }>(
            `SELECT pg_terminate_backend(pid) AS killed FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%DELETE FROM usage_deltas%' AND pid <> pg_backend_pid()`,
          );
          return killed.length > 0;
        });
        expect(await dying).toBe('died');
        expect(await read()).toEqual(expected);
      });
    } finally {
      await doomed.destroy();
    }
    await Promise.all([rollup().run(), rollup().run(), rollup().run()]);
    expect(await database.query('SELECT 1 FROM usage_deltas')).toEqual([]);
    expect(await read()).toEqual(expected);
  });
});
