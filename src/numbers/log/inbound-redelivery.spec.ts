import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { ManualClock } from '../../kernel/clock';
import { idTime, newId } from '../../kernel/ids';
import { InboundSignal } from '../../messaging/inbound/inbound-signal';
import { InboundRedeliveryService } from './inbound-redelivery.service';

const TENANT = 'acme_0123456789ab';
const NUMBER = '+393330000001';

interface DeliveryState {
  receiver_id: string;
  status: string;
  attempts: number;
  due: boolean;
  fresh: boolean;
}

describe('redelivery', () => {
  let test: TestDatabase;
  let service: InboundRedeliveryService;
  let clock: ManualClock;
  let woken: string[];
  let numberId: string;

  beforeAll(async () => {
    test = await createTestDatabase();
  });
  afterAll(() => test.drop());
  beforeEach(async () => {
    await test.database.execute('TRUNCATE numbers, number_receivers, inbound_messages, inbound_deliveries');
    clock = new ManualClock(Date.now());
    const signal = new InboundSignal();
    woken = [];
    signal.onDeliverable((ids) => woken.push(...ids));
    service = new InboundRedeliveryService(test.database, signal, clock);
    numberId = await aNumber();
  });

  async function aNumber(number = NUMBER): Promise<string> {
    const id = newId('number');
    await test.database.execute(
      `INSERT INTO numbers (id, client_id, number, channel, provider, sequence, created_at, updated_at)
       VALUES ($1, $2, $3, 'sms', 'twilio', 10, now(), now())`,
      [id, TENANT, number],
    );
    return id;
  }

  async function aReceiver(removed = false, number = numberId): Promise<string> {
    const id = newId('numberReceiver');
    await test.database.execute(
      `INSERT INTO number_receivers (id, client_id, number_id, type, email, cursor_sequence, removed_at, created_at, updated_at)
       VALUES ($1, $2, $3, 'email', 'a@example.com', 10, CASE WHEN $4 THEN now() END, now(), now())`,
      [id, TENANT, number, removed],
    );
    return id;
  }

  async function aMessage(
    deliveries: Array<{ to: string; status: string; attempts?: number; waits?: boolean }>,
    more: { number_id?: string | null; client_id?: string } = {},
  ): Promise<string> {
    const id = newId('inbound');
    const at = idTime(id, 'inbound');
    const number = more.number_id === undefined ? numberId : more.number_id;
    await test.database.execute(
      `INSERT INTO inbound_messages (id, created_at, client_id, number_id, channel, provider, config_id, sender, recipient, text, occurred_at, received_at,
         sequence, state, event_id)
       VALUES ($1, to_timestamp($2::float8 / 1000), $3, $4, 'sms', 'twilio', 'cfg_a', '+393331111111', $5, 'x', now(), now(),
         CASE WHEN $4::text IS NULL THEN NULL ELSE 5 END, CASE WHEN $4::text IS NULL THEN 'unmatched' ELSE 'received' END, 'evt_x')`,
      [id, at, more.client_id ?? TENANT, number, NUMBER],
    );
    for (const { to, status, attempts = 3, waits } of deliveries) {
      await test.database.execute(
        `INSERT INTO inbound_deliveries (id, created_at, client_id, inbound_id, inbound_created_at, number_id, receiver_id, type, sequence, status, attempts,
           next_attempt_at, updated_at)
         VALUES ($1, now(), $2, $3, to_timestamp($4::float8 / 1000), $5, $6, 'email', 5, $7, $8, CASE WHEN $9 THEN now() + interval '1 hour' END, now())`,
        [newId('inboundDelivery'), TENANT, id, at, number, to, status, attempts, waits ?? false],
      );
    }
    return id;
  }

  async function statesOf(id: string): Promise<DeliveryState[]> {
    return test.database.query<DeliveryState>(
      `SELECT receiver_id, status, attempts, coalesce(next_attempt_at <= to_timestamp($2::float8 / 1000), false) AS due,
         status = 'pending' AND next_attempt_at IS NULL AS fresh
       FROM inbound_deliveries WHERE inbound_id = $1 ORDER BY receiver_id`,
      [id, clock.now()],
    );
  }

  const again = { status: 'pending', attempts: 0, due: true, fresh: false };

  it('begins a new round for what is dead, and leaves alone what has arrived', async () => {
    const [dead, well, removed] = [await aReceiver(), await aReceiver(), await aReceiver(true)];
    const id = await aMessage([
      { to: dead, status: 'dead_letter' },
      { to: well, status: 'succeeded', attempts: 1 },
      { to: removed, status: 'dead_letter' },
    ]);
    expect(await service.one(TENANT, id, undefined)).toEqual({ messages: 1, deliveries: 1 });
    expect(await statesOf(id)).toEqual([
      { receiver_id: dead, ...again },
      { receiver_id: well, status: 'succeeded', attempts: 1, due: false, fresh: false },
      { receiver_id: removed, status: 'dead_letter', attempts: 3, due: false, fresh: false },
    ]);
    expect(woken).toEqual([numberId]);
    const [receiver] = await test.database.query<{ due: boolean }>(
      'SELECT next_retry_at <= to_timestamp($2::float8 / 1000) AS due FROM number_receivers WHERE id = $1',
      [dead, clock.now()],
    );
    expect(receiver!.due).toBe(true);
  });

  it('tries at once what waits, without a new round: it may be under way', async () => {
    const to = await aReceiver();
    const id = await aMessage([{ to, status: 'pending', attempts: 1, waits: true }]);
    await service.one(TENANT, id, undefined);
    expect(await statesOf(id)).toEqual([{ receiver_id: to, status: 'pending', attempts: 1, due: true, fresh: false }]);
    const fresh = await aMessage([{ to, status: 'pending', attempts: 0 }]);
    expect(await service.one(TENANT, fresh, 'all')).toEqual({ messages: 0, deliveries: 0 });
    expect(await statesOf(fresh)).toMatchObject([{ fresh: true }]);
  });

  it('goes to the receivers that there are when those that it was for are gone', async () => {
    const [removed, present] = [await aReceiver(true), await aReceiver()];
    const id = await aMessage([{ to: removed, status: 'dead_letter' }]);
    expect(await service.many(TENANT, {}, 'dead_letter')).toEqual({ messages: 1, deliveries: 1 });
    expect((await statesOf(id)).filter(({ receiver_id }) => receiver_id === present)).toEqual([
      { receiver_id: present, ...again },
    ]);
    expect(await service.many(TENANT, {}, 'dead_letter')).toEqual({ messages: 0, deliveries: 0 });
  });

  it('gives what came before the number was the tenant’s a place, and delivers it in its turn', async () => {
    const to = await aReceiver();
    const ids = [await aMessage([], { number_id: null }), await aMessage([], { number_id: null })];
    await Promise.all([service.one(TENANT, ids[0]!, undefined), service.many(TENANT, {}, 'unmatched')]);
    const rows = await test.database.query<{ sequence: number; state: string; number_id: string }>(
      'SELECT sequence::int, state, number_id FROM inbound_messages ORDER BY sequence',
    );
    expect(rows).toEqual([11, 12].map((sequence) => ({ sequence, state: 'received', number_id: numberId })));
    for (const id of ids) {
      const states = await statesOf(id);
      expect(states).toHaveLength(1);
      expect(states).toMatchObject([{ receiver_id: to, status: 'pending', attempts: 0 }]);
    }
  });

  it('finds the number anew when the one that it came to is gone', async () => {
    const id = await aMessage([]);
    await test.database.execute('DELETE FROM numbers');
    await expect(service.one(TENANT, id, undefined)).rejects.toMatchObject({ code: 'conflict' });
    const now = await aNumber();
    const to = await aReceiver(false, now);
    await service.one(TENANT, id, undefined);
    expect(await statesOf(id)).toMatchObject([{ receiver_id: to, fresh: true }]);
  });

  it('goes through more than a chunk, and touches nothing of another tenant', async () => {
    const to = await aReceiver();
    const ids: string[] = [];
    for (let n = 0; n < 520; n++) ids.push(newId('inbound'));
    await test.database.execute(
      `WITH i AS (SELECT * FROM unnest($1::text[], $2::float8[]) WITH ORDINALITY AS i(id, at, n)), m AS (
         INSERT INTO inbound_messages (id, created_at, client_id, number_id, channel, provider, config_id, sender, recipient, text, occurred_at, received_at,
           sequence, state, event_id)
         SELECT id, to_timestamp(at / 1000), CASE WHEN n = 1 THEN 'rival_0123456789ab' ELSE $3 END, $4, 'sms', 'twilio', 'cfg_a', 's', $5, 'x', now(), now(),
           n, 'received', 'evt_x' FROM i)
       INSERT INTO inbound_deliveries (id, created_at, client_id, inbound_id, inbound_created_at, number_id, receiver_id, type, sequence, status, updated_at)
       SELECT 'ind_' || n, now(), CASE WHEN n = 1 THEN 'rival_0123456789ab' ELSE $3 END, id, to_timestamp(at / 1000), $4, $6, 'email', n, 'dead_letter', now()
       FROM i`,
      [ids, ids.map((id) => idTime(id, 'inbound')), TENANT, numberId, NUMBER, to],
    );
    await expect(service.one(TENANT, ids[0]!, undefined)).rejects.toMatchObject({ code: 'not_found' });
    expect(await service.many(TENANT, { number: NUMBER }, 'dead_letter')).toEqual({ messages: 519, deliveries: 519 });
    expect(await statesOf(ids[0]!)).toMatchObject([{ status: 'dead_letter' }]);
    expect(await service.many(TENANT, { since: Date.now() + 60_000, until: Date.now() + 120_000 }, 'all')).toEqual({
      messages: 0,
      deliveries: 0,
    });
  });
});
