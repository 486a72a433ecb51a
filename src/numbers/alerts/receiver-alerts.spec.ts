import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { ManualClock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { silentLogger } from '../../kernel/logger';
import { AlertBook } from '../../platform/alerts/alert-book';
import { EventSignal, EventStore } from '../../platform/events/event-store';
import { InboundWatch } from './inbound-watch';

const ACME = 'acme_1';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Told {
  type: string;
  data: Record<string, unknown>;
}

describe('alerts about receivers', () => {
  let test: TestDatabase;
  let clock: ManualClock;
  let book: AlertBook;
  let told: string[];
  const watch = (): InboundWatch => {
    const signal = new EventSignal();
    signal.onCommitted((clientIds) => told.push(...clientIds));
    return new InboundWatch(test.database, book, signal, clock, silentLogger);
  };
  let numbers = 0;

  const receiver = async (type: 'webhook' | 'email' = 'webhook'): Promise<string> => {
    const [id, numberId] = [newId('numberReceiver'), newId('number')];
    await test.database.execute(
      `INSERT INTO numbers (id, client_id, number, channel, provider, created_at, updated_at) VALUES ($1, $2, $3, 'sms', 'twilio', now(), now())`,
      [numberId, ACME, `+39333${1_000_000 + numbers++}`],
    );
    await test.database.execute(
      `INSERT INTO number_receivers (id, client_id, number_id, type, url, format, email, cursor_sequence, created_at, updated_at)
       VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN 'https://example.com/' END, CASE WHEN $5 THEN 'json' END, CASE WHEN $5 THEN NULL ELSE 'a@example.com' END,
         0, now(), now())`,
      [id, ACME, numberId, type, type === 'webhook'],
    );
    return id;
  };
  /** Tries that began now. */
  const tried = (id: string, tries: number, more: { failures?: number; slow?: number; slowest?: number } = {}) =>
    test.database.execute(
      `INSERT INTO receiver_minutes AS m (receiver_id, minute, client_id, tries, failures, slow, slowest_ms)
       VALUES ($1, date_trunc('minute', to_timestamp($2::float8 / 1000)), $3, $4, $5, $6, $7)
       ON CONFLICT (receiver_id, minute) DO UPDATE SET tries = m.tries + excluded.tries, failures = m.failures + excluded.failures,
         slow = m.slow + excluded.slow, slowest_ms = greatest(m.slowest_ms, excluded.slowest_ms)`,
      [id, clock.now(), ACME, tries, more.failures ?? 0, more.slow ?? 0, more.slowest ?? 30],
    );
  const news = async (): Promise<Told[]> => {
    const rows = await test.database.query<Told>('SELECT type, data FROM events ORDER BY tx, seq');
    await test.database.execute('TRUNCATE events');
    return rows;
  };
  const open = () => test.database.query('SELECT alert, subject FROM alerts WHERE cleared_at IS NULL');

  beforeAll(async () => {
    test = await createTestDatabase();
    book = new AlertBook(new EventStore(new EventSignal()));
  });
  beforeEach(async () => {
    clock = new ManualClock(Date.UTC(2026, 10, 20, 10));
    told = [];
    await test.database.execute(
      'TRUNCATE alerts, alert_mails, events, receiver_minutes, numbers, number_receivers, inbound_deliveries, inbound_messages',
    );
  });
  afterAll(() => test.drop());

  it('says once that a receiver is slow, and that it is quick again after five minutes of quick answers', async () => {
    const id = await receiver();
    await tried(id, 3, { slow: 1, slowest: 7_120 });
    await Promise.all([watch().run(), watch().run(), watch().run()]);
    await watch().run();
    expect(await news()).toMatchObject([
      {
        type: 'alert.raised',
        data: { alert: 'receiver_slow', subject: id, receiver_id: id, latency_ms: 7120, tries: 3, severity: 'warning' },
      },
    ]);
    expect(told).toEqual([ACME]);
    clock.advance(4 * MINUTE);
    await tried(id, 10);
    await watch().run();
    expect(await news()).toEqual([]);
    clock.advance(2 * MINUTE);
    await watch().run();
    expect(await news()).toMatchObject([{ type: 'alert.cleared', data: { alert: 'receiver_slow', subject: id } }]);
    await watch().run();
    expect([await news(), await open()]).toEqual([[], []]);
  });

  it('says it again of a receiver that becomes slow again, not of the answers that it was about', async () => {
    const id = await receiver();
    await tried(id, 1, { slow: 1, slowest: 6_000 });
    await watch().run();
    clock.advance(6 * MINUTE);
    await tried(id, 1);
    await watch().run();
    await watch().run();
    expect((await news()).map(({ type }) => type)).toEqual(['alert.raised', 'alert.cleared']);
    await tried(id, 1, { slow: 1, slowest: 8_000 });
    await watch().run();
    expect((await news()).map(({ type }) => type)).toEqual(['alert.raised']);
    clock.advance(17 * MINUTE);
    await watch().run();
    expect(await news()).toMatchObject([
      { type: 'alert.cleared', data: { detail: 'It had nothing to answer for 15 minutes.' } },
    ]);
  });

  it.each([
    [20, 1, true],
    [19, 19, false],
    [100, 1, false],
    [1000, 11, true],
    [200, 0, false],
  ])('of %i tries %i failures: alert %s', async (tries, failures, raised) => {
    const id = await receiver();
    await tried(id, tries, { failures });
    await watch().run();
    const rate = Math.round((failures / tries) * 10_000) / 10_000;
    expect((await news()).map(({ data }) => data)).toEqual(
      raised
        ? [expect.objectContaining({ alert: 'delivery_error_rate', subject: id, tries, failures, error_rate: rate })]
        : [],
    );
  });

  it('adds up the last 15 minutes, and ends the alert when their rate is 1 % or less', async () => {
    const id = await receiver();
    await tried(id, 10, { failures: 1 });
    clock.advance(14 * MINUTE);
    await tried(id, 9);
    await watch().run();
    expect(await open()).toEqual([]);
    await tried(id, 1);
    await watch().run();
    expect(await open()).toEqual([{ alert: 'delivery_error_rate', subject: id }]);
    // Few further tries do not end it while failures are in the window.
    await watch().run();
    clock.advance(2 * MINUTE);
    await watch().run();
    expect((await news()).map(({ type, data }) => [type, data.failures, data.tries])).toEqual([
      ['alert.raised', 1, 20],
      ['alert.cleared', 0, 10],
    ]);
  });

  it('says nothing of a mail server that is slow, but of mails that it does not take', async () => {
    const id = await receiver('email');
    await tried(id, 30, { slow: 30, slowest: 20_000, failures: 30 });
    await watch().run();
    expect(await open()).toEqual([{ alert: 'delivery_error_rate', subject: id }]);
  });

  it('ends the alerts of a receiver that is removed', async () => {
    const id = await receiver();
    await tried(id, 30, { failures: 30, slow: 2, slowest: 9_000 });
    await watch().run();
    expect(await open()).toHaveLength(2);
    await test.database.execute('UPDATE number_receivers SET removed_at = now()');
    await watch().run();
    expect(await open()).toEqual([]);
    await watch().run();
    expect((await news()).map(({ type, data }) => [type, data.detail]).slice(2)).toEqual([
      ['alert.cleared', 'The receiver was removed.'],
      ['alert.cleared', 'The receiver was removed.'],
    ]);
  });

  it('ends a dead letter’s alert when none is left and none is on its way', async () => {
    const id = await receiver();
    const put = (status: string, due: boolean) =>
      test.database.execute(
        `INSERT INTO inbound_deliveries (id, created_at, client_id, inbound_id, inbound_created_at, number_id, receiver_id, type, sequence, status,
           next_attempt_at, updated_at) VALUES ('ind_1', now(), $1, 'inb_1', date_trunc('day', now()), 'num_1', $2, 'webhook', 1, $3, CASE WHEN $4 THEN now() END, now())
         ON CONFLICT (inbound_id, receiver_id, inbound_created_at) DO UPDATE SET status = excluded.status, next_attempt_at = excluded.next_attempt_at`,
        [ACME, id, status, due],
      );
    const alert = { clientId: ACME, alert: 'dead_letter' as const, subject: id, detail: 'x', occurredAt: clock.now() };
    await test.database.transaction((tx) => book.raise(tx, alert));
    for (const [status, due] of [
      ['dead_letter', false],
      ['pending', true],
    ] as const) {
      await put(status, due);
      await watch().run();
      expect(await open()).toHaveLength(1);
    }
    await put('succeeded', false);
    await watch().run();
    expect(await open()).toEqual([]);
  });

  it('ends the alert about an unknown number when the very number is added, or nobody writes there for a day', async () => {
    const data = { gateway: 'twilio', channel: 'sms', config_id: 'cfg_1' };
    const alert = { clientId: ACME, alert: 'inbound_unmatched' as const, detail: 'x', data, occurredAt: clock.now() };
    await test.database.transaction((tx) =>
      book.raise(tx, [
        { ...alert, subject: '+390001' },
        { ...alert, subject: '+390002' },
      ]),
    );
    const number = (id: string, more: { client?: string; provider?: string; config?: string }) =>
      test.database.execute(
        `INSERT INTO numbers (id, client_id, number, channel, provider, config_id, created_at, updated_at)
         VALUES ($1, $2, '+390001', $3, $4, $5, now(), now())`,
        [id, more.client ?? ACME, `sms`, more.provider ?? 'twilio', more.config ?? null],
      );
    for (const other of [{ client: 'bell_2' }, { provider: 'vonage' }, { config: 'cfg_2' }]) {
      await number('num_x', other);
      await watch().run();
      expect(await open()).toHaveLength(2);
      await test.database.execute('TRUNCATE numbers');
    }
    await number('num_x', { config: 'cfg_1' });
    await watch().run();
    expect(await open()).toEqual([{ alert: 'inbound_unmatched', subject: '+390002' }]);
    clock.advance(23 * HOUR);
    await watch().run();
    expect(await open()).toHaveLength(1);
    clock.advance(2 * HOUR);
    await watch().run();
    expect(await open()).toEqual([]);
  });

  it('keeps an hour of figures', async () => {
    const id = await receiver();
    await tried(id, 1);
    clock.advance(59 * MINUTE);
    await tried(id, 1);
    await watch().run();
    clock.advance(2 * MINUTE);
    await watch().run();
    expect(await test.database.query('SELECT FROM receiver_minutes')).toHaveLength(1);
  });
});
