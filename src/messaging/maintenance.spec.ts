import { createTestDatabase, type TestDatabase } from '../../test/support/test-database';
import { idAt } from '../kernel/ids';
import { silentLogger } from '../kernel/logger';
import { Maintenance } from './maintenance';

const DAY_MS = 24 * 3_600_000;

describe('Maintenance', () => {
  let test: TestDatabase;

  beforeAll(async () => {
    test = await createTestDatabase();
  });

  afterAll(() => test.drop());

  async function count(table: string): Promise<number> {
    const [row] = await test.database.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
    return row!.n;
  }

  it('makes missing partitions, and keeps nobody waiting behind a long reader of one table', async () => {
    const last = async (table: string) => {
      const [row] = await test.database.query<{ name: string }>(
        'SELECT max(inhrelid::regclass::text) AS name FROM pg_inherits WHERE inhparent = $1::regclass',
        [table],
      );
      return row!.name;
    };
    const [events, messages, deliveries] = [
      await last('events'),
      await last('messages'),
      await last('inbound_deliveries'),
    ];
    await test.database.execute(`DROP TABLE ${events}, ${messages}, ${deliveries}`);
    const maintenance = new Maintenance(test.database, silentLogger);
    await test.database.transaction(async (reader) => {
      await reader.query('SELECT count(*) FROM events');
      await maintenance.run();
      expect(await last('messages')).toBe(messages);
      expect(await last('inbound_deliveries')).toBe(deliveries);
      expect(await last('events')).not.toBe(events);
    });
    await maintenance.run();
    expect(await last('events')).toBe(events);
  });

  it('deletes all keys that are past their time in one round, also more than a batch', async () => {
    await test.database.execute(
      `INSERT INTO idempotency_keys (client_id, key, body_hash, message_id, expires_at)
       SELECT 'acme_0123456789ab', 'k' || n, 'x', 'msg_' || n, now() + CASE WHEN n <= 25000 THEN interval '-1 second' ELSE interval '1 hour' END
       FROM generate_series(1, 25003) n`,
    );
    await new Maintenance(test.database, silentLogger).run();
    expect(await count('idempotency_keys')).toBe(3);
  });

  it('deletes raw callbacks and their keys after 30 days', async () => {
    await test.database.query(
      `SELECT unimsg_make_partitions('provider_events', (now() - interval '3 months')::date, 3)`,
    );
    for (const days of [0, 29, 31, 60]) {
      const at = Date.now() - days * DAY_MS;
      await test.database.execute(
        `INSERT INTO provider_events (id, created_at, client_id, provider, kind, config_id, event_id, state, request, raw_body)
         VALUES ($1, to_timestamp($2 / 1000.0), 'acme_0123456789ab', 'twilio', 'status', 'cfg_a', $3, 'matched', '{}', '')`,
        [idAt('providerEvent', at), at, `e${days}`],
      );
      await test.database.execute(
        `INSERT INTO provider_event_keys (config_id, event_id, created_at) VALUES ('cfg_a', $1, to_timestamp($2 / 1000.0))`,
        [`e${days}`, at],
      );
    }
    await new Maintenance(test.database, silentLogger).run();
    expect(await count('provider_events')).toBe(2);
    expect(await count('provider_event_keys')).toBe(2);
  });
});
