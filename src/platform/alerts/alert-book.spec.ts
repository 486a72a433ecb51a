import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { EventSignal, EventStore } from '../events/event-store';
import { AlertBook, type NewAlert } from './alert-book';

const ACME = 'acme_1';
const NOON = Date.UTC(2026, 0, 1, 12);

describe('AlertBook', () => {
  let test: TestDatabase;
  const book = new AlertBook(new EventStore(new EventSignal()));
  const alert: NewAlert = {
    clientId: ACME,
    alert: 'receiver_slow',
    subject: 'nrc_1',
    detail: 'It took 7 seconds.',
    data: { receiver_id: 'nrc_1' },
    occurredAt: NOON,
  };

  const raise = (...alerts: NewAlert[]) => test.database.transaction((tx) => book.raise(tx, alerts));
  const clear = (end: Partial<NewAlert> = {}) =>
    test.database.transaction((tx) =>
      book.clear(tx, { clientId: ACME, alert: 'receiver_slow', subject: 'nrc_1', occurredAt: NOON + 1000, ...end }),
    );
  const rows = (subject = 'nrc_1') =>
    test.database.query<{ count: number; open: boolean }>(
      `SELECT count, cleared_at IS NULL AS open FROM alerts WHERE subject = $1 ORDER BY id`,
      [subject],
    );
  const events = (subject = 'nrc_1') =>
    test.database.query<{ type: string; client_id: string; data: Record<string, unknown> }>(
      `SELECT type, client_id, data FROM events WHERE data->>'subject' = $1 ORDER BY seq`,
      [subject],
    );

  beforeAll(async () => {
    test = await createTestDatabase();
  });
  afterEach(() => test.database.execute('TRUNCATE alerts, alert_mails, events'));
  afterAll(() => test.drop());

  it('raises once while it lasts, and again after it was over', async () => {
    expect(await raise(alert)).toHaveLength(1);
    expect(await raise(alert)).toHaveLength(0);
    expect(await clear()).toHaveLength(1);
    expect(await clear()).toHaveLength(0);
    expect(await raise(alert)).toHaveLength(1);
    expect(await rows()).toEqual([
      { count: 2, open: false },
      { count: 1, open: true },
    ]);
    expect((await events()).map(({ type }) => type)).toEqual(['alert.raised', 'alert.cleared', 'alert.raised']);
  });

  it('tells one event of 40 that see it at the same time in several transactions, and one of its end', async () => {
    const raised = await Promise.all(Array.from({ length: 40 }, () => raise(alert)));
    expect(raised.flat()).toHaveLength(1);
    expect(await rows()).toEqual([{ count: 40, open: true }]);
    const ended = await Promise.all(Array.from({ length: 40 }, () => clear()));
    expect(ended.flat()).toHaveLength(1);
    expect((await events()).map(({ type }) => type)).toEqual(['alert.raised', 'alert.cleared']);
  });

  it('does not deadlock when transactions raise and end the same alerts in other orders', async () => {
    const alerts = Array.from({ length: 20 }, (_, index) => ({ ...alert, subject: `nrc_${index}` }));
    await Promise.all(
      Array.from({ length: 12 }, (_, turn) => {
        const order = turn % 2 === 0 ? alerts : alerts.toReversed();
        return turn % 3 === 0 ? test.database.transaction((tx) => book.clear(tx, order)) : raise(...order);
      }),
    );
    await raise(...alerts);
    const [open] = await test.database.query(
      'SELECT count(*)::int AS n, count(DISTINCT subject)::int AS subjects FROM alerts WHERE cleared_at IS NULL',
    );
    expect(open).toEqual({ n: 20, subjects: 20 });
  });

  it('takes the event, the mails and the alert back with the transaction', async () => {
    await expect(
      test.database.transaction(async (tx) => {
        await book.raise(tx, alert);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect([await rows(), await events(), await test.database.query('SELECT FROM alert_mails')]).toEqual([[], [], []]);
  });

  it('keeps tenants, words and subjects apart', async () => {
    const others: NewAlert[] = [
      { ...alert, clientId: 'bell_2' },
      { ...alert, alert: 'dead_letter' },
      { ...alert, subject: 'nrc_2' },
    ];
    expect(await raise(alert, ...others, alert)).toHaveLength(4);
    expect(await clear()).toHaveLength(1);
    expect(await test.database.query('SELECT FROM alerts WHERE cleared_at IS NULL')).toHaveLength(3);
  });

  it('tells the same of the end as of the beginning, and what the end adds', async () => {
    await raise(alert);
    await clear({ detail: 'It answers in time again.', data: { latency_ms: 12 } });
    const common = { alert: 'receiver_slow', subject: 'nrc_1', severity: 'warning', receiver_id: 'nrc_1' };
    const [raised, cleared] = await events();
    expect(raised!.data).toEqual({
      ...common,
      alert_id: expect.stringMatching(/^alr_/),
      detail: 'It took 7 seconds.',
      raised_at: '2026-01-01T12:00:00.000Z',
      cleared_at: null,
    });
    expect(cleared!.data).toEqual({
      ...raised!.data,
      latency_ms: 12,
      detail: 'It answers in time again.',
      cleared_at: '2026-01-01T12:00:01.000Z',
    });
  });

  it('lets a tenant’s own transaction touch its own alerts only', async () => {
    await raise(alert);
    const ended = await test.database.tenant('bell_2', (tx) =>
      book.clear(tx, { clientId: ACME, alert: 'receiver_slow', subject: 'nrc_1', occurredAt: NOON }),
    );
    expect([ended, await rows()]).toEqual([[], [{ count: 1, open: true }]]);
  });

  it('leaves two mails a step, one for the tenant and one for the operator', async () => {
    await raise(alert, alert);
    await raise(alert);
    await clear();
    const mails = await test.database.query('SELECT step, audience, client_id, tries FROM alert_mails ORDER BY 1, 2');
    expect(mails).toEqual(
      ['cleared', 'raised'].flatMap((step) =>
        ['operator', 'tenant'].map((audience) => ({ step, audience, client_id: ACME, tries: 0 })),
      ),
    );
  });
});
