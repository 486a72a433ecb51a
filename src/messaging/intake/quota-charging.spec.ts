import fc from 'fast-check';
import { DateTime } from 'luxon';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import type { AppConfig } from '../../config/app-config';
import { QuotaHints } from '../../gateway/quotas/quota-hints';
import { QuotaLedger } from '../../gateway/quotas/quota-ledger';
import { viewOf } from '../../gateway/quotas/quota-reader';
import { periodAt, type MessageQuotas } from '../../gateway/quotas/quota-scope';
import { ManualClock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { EventSignal } from '../../platform/events/event-store';
import type { JobQueue, ReadyGroup } from '../../platform/queue/job-queue';
import type { Quotas } from '../../tenancy/quotas';
import type { TenantDirectory } from '../../tenancy/tenant-directory';
import { FreshMessages } from '../dispatch/fresh-messages';
import type { IntakeMetrics } from './intake-metrics';
import { MessageInserter, type InsertResult } from './message-inserter';
import type { NewMessage } from './new-message';

const ROME = 'Europe/Rome';
const at = (local: string, zone = ROME) => DateTime.fromISO(local, { zone }).toMillis();

describe('charging quotas', () => {
  let bed: TestDatabase;
  let clock: ManualClock;
  let tenants = 0;

  beforeAll(async () => {
    bed = await createTestDatabase();
  });
  afterAll(() => bed?.drop());
  beforeEach(() => {
    clock = new ManualClock(Date.now());
  });

  /** One process. */
  function process(): MessageInserter {
    const hints = new QuotaHints(clock, { on: () => () => undefined });
    const ledger = new QuotaLedger(bed.database, {} as TenantDirectory, hints, new EventSignal(), clock);
    const metrics = { accepted: () => undefined } as unknown as IntakeMetrics;
    const queue = { publish: () => undefined } as unknown as JobQueue<ReadyGroup[]>;
    const config = { idempotencyHours: 24 } as AppConfig;
    return new MessageInserter(bed.database, metrics, new FreshMessages(), ledger, queue, config);
  }
  const newTenant = () => `tenant_${String(++tenants).padStart(12, '0')}`;
  const quotasOf = (clientId: string, quotas: Quotas | null, lanes: Record<string, Quotas> = {}, timeZone = ROME) => {
    const scoped = (scope: string, of: Quotas) => ({ clientId, scope, quotas: of, timeZone });
    return (lane: string): MessageQuotas => ({
      tenant: quotas && scoped('', quotas),
      config: lanes[lane] ? scoped(lane, lanes[lane]) : null,
    });
  };
  const message = (clientId: string, quotas: MessageQuotas | null, more: Partial<NewMessage> = {}): NewMessage => ({
    id: newId('message'),
    clientId,
    channel: 'sms',
    status: 'queued',
    recipient: '+393331234567',
    sender: null,
    content: { type: 'text', body: 'x' },
    priority: 1,
    provider: null,
    reference: null,
    tags: null,
    metadata: null,
    encoding: null,
    segments: 1,
    sendAt: null,
    expiresAt: Date.now() + 3_600_000,
    gateway: null,
    lane: 'cfg_a',
    idempotency: null,
    quotas,
    heldUntil: null,
    ...more,
  });
  const kinds = (results: InsertResult[]) => results.map(({ kind }) => kind);
  const used = async (clientId: string) => {
    const sql = 'SELECT scope, period, used::int AS used FROM quota_usage WHERE client_id = $1 ORDER BY scope, period';
    const rows = await bed.database.query<{ scope: string; period: string; used: number }>(sql, [clientId]);
    return Object.fromEntries(rows.map((row) => [`${row.scope || 'tenant'} ${row.period}`, row.used]));
  };
  const told = async (clientId: string) => {
    const sql = 'SELECT type, data FROM events WHERE client_id = $1 ORDER BY tx, seq';
    const rows = await bed.database.query<{ type: string; data: { used: number } }>(sql, [clientId]);
    return rows.map(({ type, data }) => `${type} ${data.used}`);
  };
  const key = (text: string) => ({ key: text, bodyHash: Buffer.from(text) });

  test('the events of a period come once, and again in the next one', async () => {
    const clientId = newTenant();
    const inserter = process();
    const quotas = quotasOf(clientId, { daily: 5 })('cfg_a');
    const send = async (count: number) => {
      const results: InsertResult[] = [];
      for (let i = 0; i < count; i++) results.push(await inserter.insert(message(clientId, quotas)));
      return kinds(results);
    };
    clock.set(at('2027-11-22T12:00'));
    expect(await send(7)).toEqual([...Array.from({ length: 5 }, () => 'stored'), 'over_quota', 'over_quota']);
    expect(await told(clientId)).toEqual(['usage.quota_warning 4', 'usage.quota_exceeded 5']);
    clock.set(at('2027-11-23T00:00'));
    await send(4);
    expect(await told(clientId)).toEqual(['usage.quota_warning 4', 'usage.quota_exceeded 5', 'usage.quota_warning 4']);
  });

  test.each([
    ['a usual day', '2026-11-22', 24],
    ['the day that clocks go forward', '2026-03-29', 23],
    ['the day that clocks go back', '2026-10-25', 25],
  ])('%s ends at midnight of the tenant', (_, day, hours) => {
    const { start, end } = periodAt('daily', ROME, at(`${day}T12:00`));
    expect([start, (end - start) / 3_600_000]).toEqual([at(`${day}T00:00`), hours]);
    expect(periodAt('daily', ROME, end - 1)).toEqual({ start, end });
    expect(periodAt('daily', ROME, end).start).toBe(end);
    expect(periodAt('monthly', ROME, end - 1).start).toBe(at(`${day.slice(0, 7)}-01T00:00`));
  });

  test('a day that has no midnight begins when it begins', () => {
    // In Cairo clocks went from 23:59 to 1:00.
    const zone = 'Africa/Cairo';
    const { start, end } = periodAt('daily', zone, at('2026-04-24T12:00', zone));
    expect([start, (end - start) / 3_600_000]).toEqual([at('2026-04-24T01:00', zone), 23]);
  });

  test('a new day of the tenant has room again, a new month only then', async () => {
    const clientId = newTenant();
    const inserter = process();
    const quotas = quotasOf(clientId, { daily: 2, monthly: 3 })('cfg_a');
    const send = async () => (await inserter.insert(message(clientId, quotas))).kind;
    // A year ahead of what the database holds, so that a counter that is opened begins at nothing.
    const last = at('2027-03-27T23:59:59');
    clock.set(last);
    expect([await send(), await send(), await send()]).toEqual(['stored', 'stored', 'over_quota']);
    clock.set(at('2027-03-28T00:00'));
    expect([await send(), await send()]).toEqual(['stored', 'over_quota']);
    // Another process, whose clock is a little behind, counts into the period that has begun.
    clock.set(last);
    const behind = process();
    expect((await behind.insert(message(clientId, quotas))).kind).toBe('over_quota');
    expect(await used(clientId)).toEqual({ 'tenant daily': 1, 'tenant monthly': 3 });
    clock.set(at('2027-04-01T00:00'));
    expect([await send(), await send(), await send()]).toEqual(['stored', 'stored', 'over_quota']);
    expect(await used(clientId)).toEqual({ 'tenant daily': 2, 'tenant monthly': 2 });
  });

  test('who moves its clocks counts by what it sent since its day began', async () => {
    const clientId = newTenant();
    const inserter = process();
    const send = async (zone: string) =>
      (await inserter.insert(message(clientId, quotasOf(clientId, { daily: 2 }, {}, zone)('cfg_a')))).kind;
    const far = 'Pacific/Kiritimati';
    expect([await send('UTC'), await send('UTC'), await send('UTC')]).toEqual(['stored', 'stored', 'over_quota']);
    expect([await send(far), await send('UTC'), await send(far)]).toEqual(['over_quota', 'over_quota', 'over_quota']);
  });

  test('a repeat that takes another way is not refused with the first', async () => {
    const clientId = newTenant();
    const inserter = process();
    const quotas = quotasOf(clientId, null, { cfg_a: { daily: 0 }, cfg_b: { daily: 1 } });
    const send = (lane: string) => inserter.insert(message(clientId, quotas(lane), { lane, idempotency: key('same') }));
    expect(kinds(await Promise.all([send('cfg_a'), send('cfg_b'), send('cfg_a')]))).toEqual([
      'over_quota',
      'stored',
      'over_quota',
    ]);
    expect((await send('cfg_a')).kind).toBe('replay');
  });

  test('many at once, of many tenants, configs and keys, over two processes, are exact', async () => {
    const processes = [process(), process()];
    const plan = fc.array(
      fc.record({
        tenant: fc.nat(2),
        lane: fc.constantFrom('cfg_a', 'cfg_b'),
        key: fc.option(fc.nat(30), { nil: null }),
        sandbox: fc.nat(9).map((n) => n === 0),
      }),
      { minLength: 40, maxLength: 120 },
    );
    const limits = fc.array(fc.record({ daily: fc.nat(40), monthly: fc.nat(60) }), { minLength: 5, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(plan, limits, async (sends, [first, second, third, a, b]) => {
        const ids = [newTenant(), newTenant(), newTenant()];
        const quotas = [
          quotasOf(ids[0]!, first!, { cfg_a: a!, cfg_b: b! }),
          quotasOf(ids[1]!, second!, { cfg_a: b! }),
          quotasOf(ids[2]!, third!),
        ];
        const messages = sends.map(({ tenant, lane, key: text, sandbox }) =>
          message(ids[tenant]!, sandbox ? null : quotas[tenant]!(lane), {
            lane: sandbox ? null : lane,
            ...(sandbox && { id: newId('testMessage'), status: 'simulated' as const }),
            idempotency: text === null ? null : key(`${text}${sandbox ? 's' : ''}`),
          }),
        );
        const results = await Promise.all(messages.map((one, index) => processes[index % 2]!.insert(one)));
        for (const [index, clientId] of ids.entries()) {
          const limit = [first!, second!, third!][index]!;
          const own = messages.flatMap((one, at) => (one.clientId === clientId ? [{ one, result: results[at]! }] : []));
          const stored = own.filter(({ one, result }) => result.kind === 'stored' && one.quotas !== null);
          const counters = await used(clientId);
          expect(counters['tenant daily'] ?? 0).toBe(stored.length);
          expect(counters['tenant monthly'] ?? 0).toBe(stored.length);
          expect(stored.length).toBeLessThanOrEqual(Math.min(limit.daily, limit.monthly));
          const [row] = await bed.database.query<{ n: number }>(
            `SELECT count(*)::int AS n FROM messages WHERE client_id = $1 AND status = 'queued'`,
            [clientId],
          );
          expect(row!.n).toBe(stored.length);
          // Who was refused would be refused now: nothing was turned away while there was room.
          for (const { one, result } of own.filter(({ result: { kind } }) => kind === 'over_quota')) {
            const usedUp = (result as Extract<InsertResult, { kind: 'over_quota' }>).usedUp;
            expect(counters[`${usedUp.scope || 'tenant'} ${usedUp.period}`]).toBe(usedUp.limit);
            const keys = await bed.database.query(
              'SELECT 1 FROM idempotency_keys WHERE client_id = $1 AND message_id = $2',
              [clientId, one.id],
            );
            expect(keys).toEqual([]);
          }
          for (const [lane, of] of Object.entries({
            cfg_a: index === 0 ? a : index === 1 ? b : null,
            cfg_b: index === 0 ? b : null,
          })) {
            const inLane = stored.filter(({ one }) => one.lane === lane).length;
            if (!of) continue;
            expect(counters[`${lane} daily`] ?? 0).toBe(inLane);
            expect(inLane).toBeLessThanOrEqual(Math.min(of.daily, of.monthly));
          }
        }
      }),
      // A failure is not made smaller: each try of that would take as long as a run.
      { numRuns: 15, endOnFailure: true },
    );
  }, 60_000);

  test('the pace tells when it is used up', () => {
    const start = Date.UTC(2026, 10, 22);
    const counter = {
      clientId: 'x',
      scope: '',
      period: 'daily',
      limit: 100,
      hard: true,
      timeZone: 'UTC',
      start,
      end: start + 86_400_000,
    } as const;
    const noon = start + 43_200_000;
    expect(viewOf(counter, 50, noon)).toMatchObject({ burn_rate: 1, projected_exhaustion_at: null, remaining: 50 });
    expect(viewOf(counter, 75, noon)).toMatchObject({
      burn_rate: 1.5,
      projected_exhaustion_at: '2026-11-22T16:00:00.000Z',
    });
    expect(viewOf(counter, 0, start)).toMatchObject({ burn_rate: 0, projected_exhaustion_at: null });
    expect(viewOf({ ...counter, limit: 0 }, 3, noon)).toMatchObject({ burn_rate: null, remaining: 0 });
  });
});
