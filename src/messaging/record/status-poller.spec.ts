import { fakeProvider } from '../../../test/factories/fake-provider';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { until } from '../../../test/support/until';
import { ProviderRegistry } from '../../gateway/provider-registry';
import { newId } from '../../kernel/ids';
import { silentLogger } from '../../kernel/logger';
import { Problem } from '../../kernel/problem';
import { EventSignal, EventStore, type EventType } from '../../platform/events/event-store';
import type { MessageActions } from './message-actions';
import { StatusPoller } from './status-poller';

const HOUR_MS = 3_600_000;

describe('StatusPoller', () => {
  let test: TestDatabase;
  let poller: StatusPoller;
  let client: string;
  let asked: string[];
  let answer: (id: string) => Promise<{ final: boolean }>;
  let tenants = 0;
  const events = new EventStore(new EventSignal());

  beforeAll(async () => {
    test = await createTestDatabase();
    const registry = new ProviderRegistry();
    const push = fakeProvider();
    registry.register(push);
    const capabilities = { ...push.capabilities, status: 'pull' as const };
    registry.register(fakeProvider({ key: 'silent', slug: 'silent', aliases: [], capabilities }));
    const actions = { refresh: (_: string, id: string) => (asked.push(id), answer(id)) };
    poller = new StatusPoller(test.database, registry, actions as unknown as MessageActions, silentLogger);
  });

  beforeEach(async () => {
    client = `acme_${String(++tenants).padStart(12, '0')}`;
    asked = [];
    answer = () => Promise.resolve({ final: false });
    await addConfig('silent');
  });

  afterEach(() => test.database.execute('DELETE FROM status_polls'));
  afterAll(() => test.drop());

  const addConfig = (provider: string, owner = client) =>
    test.database.execute(
      `INSERT INTO provider_configs (id, client_id, provider, channel, display_name, status, settings, credentials, callback_token, created_at, updated_at)
       VALUES ($1, $2, $3, 'sms', 'x', 'active', '{}', '{}', '', now(), now())`,
      [newId('config'), owner, provider],
    );
  const happened = async (type: EventType, gateway: string | null, over: { id?: string; agoMs?: number } = {}) => {
    const { id = newId('message'), agoMs = 0 } = over;
    const event = { clientId: client, type, messageId: id, occurredAt: Date.now() - agoMs, data: {} };
    await test.database.transaction((tx) => events.insert(tx, [{ ...event, ...(gateway && { gateway }) }]));
    return id;
  };
  /** Events are read up to the oldest transaction that runs on the server, which may be another spec's. */
  const run = async () => {
    const [now] = await test.database.query<{ tx: string }>('SELECT pg_current_xact_id()::text AS tx');
    await until('all events can be read', async () => {
      const sql = 'SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 AS past';
      return (await test.database.query<{ past: boolean }>(sql, [now!.tx]))[0]!.past;
    });
    await poller.run();
  };
  const polls = () =>
    test.database.query<{ message_id: string; tries: number; seconds: number }>(
      `SELECT message_id, tries, round(extract(epoch FROM due_at - now()))::int AS seconds FROM status_polls WHERE client_id = $1 ORDER BY message_id`,
      [client],
    );
  const timePasses = () => test.database.execute(`UPDATE status_polls SET due_at = now() - interval '1 second'`);

  it('asks for what was sent by such a provider, a moment after it was, and for nothing else', async () => {
    await addConfig('acme');
    const id = await happened('message.sent', 'silent');
    await happened('message.sent', 'acme');
    await happened('message.sent', 'silent', { agoMs: 49 * HOUR_MS });
    await run();
    expect(await polls()).toEqual([{ message_id: id, tries: 0, seconds: expect.any(Number) }]);
    expect(asked).toEqual([]);
    await timePasses();
    await run();
    expect(asked).toEqual([id]);
  });

  it('asks again, ever more rarely, for 48 hours, also while the provider does not answer', async () => {
    const id = await happened('message.sent', 'silent');
    await run();
    let waited = 5;
    for (let tries = 1; ; tries++) {
      if (tries % 2 === 0) answer = () => Promise.reject(new Problem('all_gateways_failed', 'no'));
      else answer = () => Promise.resolve({ final: false });
      await timePasses();
      await run();
      const [poll] = await polls();
      expect(asked).toEqual(Array(tries).fill(id));
      if (!poll) break;
      expect(poll).toMatchObject({ message_id: id, tries });
      expect(poll.seconds).toBeGreaterThan(waited / 2);
      waited += poll.seconds;
    }
    expect(waited / 3600).toBeGreaterThan(47.5);
    expect(waited / 3600).toBeLessThan(50);
  });

  it('stops asking once the message is final, by the answer or by a report', async () => {
    const [byAnswer, byReport] = [await happened('message.sent', 'silent'), await happened('message.sent', 'silent')];
    const before = await happened('message.sent', 'silent');
    await happened('message.failed', 'silent', { id: before });
    await run();
    expect((await polls()).map(({ message_id: id }) => id)).toEqual([byAnswer, byReport]);
    await happened('message.delivered', 'silent', { id: byReport });
    answer = () => Promise.resolve({ final: true });
    await timePasses();
    await run();
    expect(asked).toEqual([byAnswer]);
    expect(await polls()).toEqual([]);
  });

  it('goes on when one question fails in an unforeseen way, or the end of another was not written', async () => {
    const [broken, final, left] = [
      await happened('message.sent', 'silent'),
      await happened('message.sent', 'silent'),
      await happened('message.sent', 'silent'),
    ];
    await run();
    await timePasses();
    await test.database.execute('UPDATE status_polls SET tries = 8 WHERE message_id = $1', [left]);
    answer = (id) => (id === broken ? Promise.reject(new Error('a bug')) : Promise.resolve({ final: id === final }));
    await run();
    expect([...asked].sort()).toEqual([broken, final, left].sort());
    expect(await polls()).toEqual([{ message_id: broken, tries: 1, seconds: expect.any(Number) }]);
  });

  it('is done once by several processes at the same time', async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => happened('message.sent', 'silent')));
    await run();
    await timePasses();
    await Promise.all(Array.from({ length: 4 }, () => poller.run()));
    expect([...asked].sort()).toEqual([...ids].sort());
  });

  it('leaves tenants without such an account alone', async () => {
    client = `acme_${String(++tenants).padStart(12, '0')}`;
    await addConfig('acme');
    await happened('message.sent', 'silent');
    await run();
    expect(await polls()).toEqual([]);
  });
});
