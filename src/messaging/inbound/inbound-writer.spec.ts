import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import type { InboundEvent } from '../../gateway/contracts/callback';
import type { ProviderRegistry } from '../../gateway/provider-registry';
import { ManualClock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { silentLogger } from '../../kernel/logger';
import { AlertBook } from '../../platform/alerts/alert-book';
import { EventSignal, EventStore } from '../../platform/events/event-store';
import { InboundPartKeeper } from './inbound-part-keeper';
import { PARTS_WAIT_MS } from './inbound-parts';
import { InboundSignal } from './inbound-signal';
import { InboundWriter, type ReceivedInbound } from './inbound-writer';
import { UnmatchedAlerts } from './unmatched-alerts';

const TENANT = 'acme_0123456789ab';
const RIVAL = 'rival_0123456789ab';
const CONFIG = 'cfg_smpp';
const CHANNEL_OF: Record<string, string> = {
  twilio: 'sms',
  smpp: 'sms',
  telegram_bot: 'telegram',
  meta_cloud: 'whatsapp',
};

interface Row {
  id: string;
  client_id: string;
  number_id: string | null;
  sender: string;
  recipient: string;
  text: string;
  sequence: string | null;
  state: string;
  event_id: string;
  detail: { parts?: object; data?: string } | null;
}

describe('InboundWriter', () => {
  let test: TestDatabase;
  let writer: InboundWriter;
  let keeper: InboundPartKeeper;
  let clock: ManualClock;
  let delivered: string[];
  let unmatched: string[];
  const providers = {
    require: (key: string) => ({ channel: CHANNEL_OF[key] }),
  } as unknown as ProviderRegistry;

  beforeAll(async () => {
    test = await createTestDatabase();
  });
  afterAll(() => test.drop());
  beforeEach(async () => {
    await test.database.execute(
      'TRUNCATE numbers, number_receivers, inbound_messages, inbound_deliveries, inbound_parts, events, alerts CASCADE',
    );
    const signal = new InboundSignal();
    delivered = [];
    unmatched = [];
    signal.onDeliverable((ids) => delivered.push(...ids));
    signal.onUnmatched((ids) => unmatched.push(...ids));
    clock = new ManualClock();
    writer = newWriter(signal);
    keeper = new InboundPartKeeper(test.database, writer, clock, silentLogger);
  });

  function newWriter(inboundSignal: InboundSignal): InboundWriter {
    const events = new EventStore(new EventSignal());
    return new InboundWriter(events, providers, inboundSignal, new UnmatchedAlerts(new AlertBook(events)));
  }

  async function aNumber(number: string, more: Partial<Record<string, string | null>> = {}): Promise<string> {
    const id = newId('number');
    await test.database.execute(
      `INSERT INTO numbers (id, client_id, number, channel, provider, config_id, created_at, updated_at)
       VALUES ($1, $2, $3, $4, $5, $6, now(), now())`,
      [id, more.client_id ?? TENANT, number, more.channel ?? 'sms', more.provider ?? 'smpp', more.config_id ?? null],
    );
    return id;
  }

  async function aReceiver(numberId: string, removed = false): Promise<string> {
    const id = newId('numberReceiver');
    await test.database.execute(
      `INSERT INTO number_receivers (id, client_id, number_id, type, url, format, cursor_sequence, removed_at, created_at, updated_at)
       VALUES ($1, $2, $3, 'webhook', 'https://example.com/', 'json', 0, CASE WHEN $4 THEN now() END, now(), now())`,
      [id, TENANT, numberId, removed],
    );
    return id;
  }

  function inbound(event: Partial<InboundEvent>, more: Partial<ReceivedInbound> = {}): ReceivedInbound {
    return {
      clientId: TENANT,
      configId: CONFIG,
      provider: 'smpp',
      receivedAt: clock.now(),
      event: {
        kind: 'inbound',
        eventId: newId('request'),
        occurredAt: null,
        rawWord: 'x',
        from: '+393331234567',
        to: '+39333000',
        text: 'hello',
        ...event,
      },
      ...more,
    };
  }

  async function write(...received: ReceivedInbound[]): Promise<boolean[]> {
    const outcome = await test.database.transaction((tx) => writer.writeIn(tx, received));
    writer.committed(outcome);
    return outcome.known;
  }

  async function rows(): Promise<Row[]> {
    return test.database.query<Row>('SELECT * FROM inbound_messages ORDER BY id');
  }

  const part = (number: number, total: number, text: string, more: Partial<InboundEvent> = {}): ReceivedInbound =>
    inbound({ text, part: { reference: '7', number, total }, ...more });

  it('finds the number by tenant, provider, account and spelling, and keeps what is nobody’s', async () => {
    const id = await aNumber('+393330000001');
    const ofConfig = await aNumber('+393330000002', { config_id: 'cfg_other' });
    const ofRival = await aNumber('+393330000003', { client_id: RIVAL });
    await aNumber('+393330000001', { channel: 'whatsapp', provider: 'meta_cloud' });
    const bot = await aNumber('acme_bot', { channel: 'telegram', provider: 'telegram_bot', config_id: 'cfg_bot' });
    const known = await write(
      inbound({ to: '393330000001', from: '393331234567' }),
      inbound({ to: '+393330000002' }),
      inbound({ to: '+393330000002' }, { configId: 'cfg_other' }),
      inbound({ to: '+393330000003' }),
      inbound({ to: '+393330000001' }, { provider: 'twilio' }),
      inbound({ to: '', from: '77' }, { provider: 'telegram_bot', configId: 'cfg_bot' }),
      inbound({ to: '', from: '77' }, { provider: 'telegram_bot', configId: 'cfg_bot2' }),
    );
    expect(known).toEqual([true, false, true, false, false, true, false]);
    const all = await rows();
    expect(all.map((row) => row.number_id)).toEqual([id, null, ofConfig, null, null, bot, null]);
    expect(all.map((row) => row.sequence)).toEqual(['1', null, '1', null, null, '1', null]);
    expect(all.every((row) => row.client_id === TENANT)).toBe(true);
    expect(all[0]).toMatchObject({ sender: '+393331234567', recipient: '+393330000001', state: 'received' });
    expect(all[5]).toMatchObject({ sender: '77', recipient: 'acme_bot' });
    expect(all[6]).toMatchObject({ recipient: '', state: 'unmatched' });
    expect(delivered.toSorted()).toEqual([id, ofConfig, bot].toSorted());
    expect(unmatched).toEqual([TENANT]);
    expect(delivered).not.toContain(ofRival);
  });

  it('raises one alert a number that is nobody’s, with the message, and another try of one that was rolled back', async () => {
    await aNumber('+393330000001');
    const alerts = () =>
      test.database.query<{ client_id: string; subject: string; count: number; data: object }>(
        `SELECT client_id, subject, count, data FROM alerts WHERE alert = 'inbound_unmatched' ORDER BY subject`,
      );
    const lost = test.database.transaction(async (tx) => {
      await writer.writeIn(tx, [inbound({ to: '+393330000009' })]);
      throw new Error('no');
    });
    await expect(lost).rejects.toThrow('no');
    expect(await alerts()).toEqual([]);
    const bot = { provider: 'telegram_bot', configId: 'cfg_bot' };
    await write(inbound({ to: '+393330000001' }), inbound({ to: '+393330000009' }), inbound({ to: '+393330000009' }));
    await write(inbound({ to: '+393330000009' }), inbound({ to: '', from: '77' }, bot));
    expect(await alerts()).toMatchObject([
      { client_id: TENANT, subject: '+393330000009', count: 1, data: { gateway: 'smpp', channel: 'sms' } },
      { client_id: TENANT, subject: 'cfg_bot', count: 1, data: { number: '', config_id: 'cfg_bot' } },
    ]);
    const raised = await test.database.query<{ data: { inbound_id: string } }>(
      `SELECT data FROM events WHERE type = 'alert.raised' AND data->>'subject' = '+393330000009'`,
    );
    const first = (await rows()).find(({ recipient }) => recipient === '+393330000009');
    expect(raised.map(({ data }) => data.inbound_id)).toEqual([first!.id]);
  });

  it('writes with the message what is owed to each receiver, and its event', async () => {
    const id = await aNumber('+393330000001');
    const receivers = [await aReceiver(id), await aReceiver(id)];
    await aReceiver(id, true);
    await write(inbound({ to: '+393330000001', text: 'a' }), inbound({ to: '+393330000001', text: 'b' }));
    const deliveries = await test.database.query(
      `SELECT d.receiver_id, d.sequence::int, d.status, d.next_attempt_at, d.attempts, m.text FROM inbound_deliveries d
       JOIN inbound_messages m ON m.id = d.inbound_id AND m.created_at = d.inbound_created_at ORDER BY d.receiver_id, d.sequence`,
    );
    const fresh = { status: 'pending', next_attempt_at: null, attempts: 0 };
    expect(deliveries).toEqual(
      receivers.toSorted().flatMap((receiver_id) => [
        { receiver_id, sequence: 1, text: 'a', ...fresh },
        { receiver_id, sequence: 2, text: 'b', ...fresh },
      ]),
    );
    const events = await test.database.query<{ id: string; type: string; data: Record<string, unknown> }>(
      'SELECT id, type, data FROM events ORDER BY tx, seq',
    );
    const [first] = await rows();
    expect(events).toHaveLength(2);
    expect(events[0]).toMatchObject({
      id: first!.event_id,
      type: 'inbound.received',
      data: { inbound_id: first!.id, number_id: id, from: '+393331234567', text: 'a', sequence: 1, state: 'received' },
    });
  });

  it('counts each message once in the usage of its account, by when it came; nothing of one that was rolled back', async () => {
    clock.set(Date.parse('2026-03-01T10:07:00Z'));
    await write(inbound({}), inbound({}), part(1, 2, 'a'), part(2, 2, 'b'));
    const lost = new Error('lost');
    const rolledBack = test.database.transaction(async (tx) => {
      await writer.writeIn(tx, [inbound({})]);
      throw lost;
    });
    await expect(rolledBack).rejects.toBe(lost);
    clock.set(Date.parse('2026-03-01T10:15:00Z'));
    await write(inbound({}, { configId: 'cfg_other' }));
    const counted = await test.database.query(
      `SELECT client_id, bucket, config_id, channel, sum(inbound)::int AS inbound FROM usage_deltas
       WHERE bucket >= '2026-03-01' AND bucket < '2026-03-02' GROUP BY 1, 2, 3, 4 ORDER BY 2`,
    );
    expect(counted).toEqual([
      { client_id: TENANT, bucket: new Date('2026-03-01T10:00:00Z'), config_id: CONFIG, channel: 'sms', inbound: 3 },
      {
        client_id: TENANT,
        bucket: new Date('2026-03-01T10:15:00Z'),
        config_id: 'cfg_other',
        channel: 'sms',
        inbound: 1,
      },
    ]);
  });

  it('leaves no gap in a sequence: over two writers at once, and when a transaction is rolled back', async () => {
    const [a, b] = [await aNumber('+393330000001'), await aNumber('+393330000002')];
    const two = newWriter(new InboundSignal());
    const flush = async (n: number): Promise<void> => {
      const batch = [0, 1, 2, 3].map((i) => inbound({ to: (n + i) % 2 ? '+393330000001' : '+393330000002' }));
      const failing = n % 5 === 0;
      const done = test.database.transaction(async (tx) => {
        await (n % 2 ? writer : two).writeIn(tx, n % 3 ? batch : batch.toReversed());
        if (failing) throw new Error('rolled back');
      });
      if (failing) await expect(done).rejects.toThrow('rolled back');
      else await done;
    };
    await Promise.all(Array.from({ length: 30 }, (_, n) => flush(n)));
    const all = await rows();
    for (const id of [a, b]) {
      const sequence = all.filter((row) => row.number_id === id).map((row) => Number(row.sequence));
      expect(sequence.toSorted((x, y) => x - y)).toEqual(Array.from({ length: 48 }, (_, index) => index + 1));
    }
  });

  it('joins the parts of a message in any order, over writers at once, and is not disturbed by repeats', async () => {
    await aNumber('+393330000001');
    const to = '+393330000001';
    const parts = [part(1, 3, 'one ', { to }), part(2, 3, 'two ', { to }), part(3, 3, 'three', { to })];
    await write(parts[2]!);
    await write(parts[2]!, part(2, 3, 'other sender', { to, from: '+393339999999' }));
    expect(await rows()).toEqual([]);
    // The last two at once: whichever commits second has to see the first.
    expect(await Promise.all([write(parts[0]!), write(parts[1]!)])).toEqual([[true], [true]]);
    await write(...parts);
    const all = await rows();
    expect(all.map((row) => row.text)).toEqual(['one two three']);
    expect(all[0]).toMatchObject({ sequence: '1', detail: { parts: { total: 3 } } });
  });

  it('makes characters whole that were cut in two', async () => {
    const [head, tail] = ['\ud83d', '\ude00'];
    await write(
      inbound({ text: 'b', part: { reference: '1', number: 2, total: 2, head: tail.charCodeAt(0) } }),
      inbound({ text: 'a', part: { reference: '1', number: 1, total: 2, tail: head.charCodeAt(0) } }),
    );
    expect((await rows()).map((row) => row.text)).toEqual(['a😀b']);
  });

  it('delivers what is there when the other parts do not come in time, and marks what is missing', async () => {
    await aNumber('+393330000001');
    await write(part(2, 4, 'two', { to: '+393330000001' }));
    clock.advance(PARTS_WAIT_MS / 2);
    await write(part(4, 4, 'four', { to: '+393330000001' }));
    clock.advance(PARTS_WAIT_MS / 2 - 1);
    await keeper.run();
    expect(await rows()).toEqual([]);
    clock.advance(1);
    await Promise.all([keeper.run(), keeper.run()]);
    const all = await rows();
    expect(all.map((row) => row.text)).toEqual(['[…]two[…]four']);
    expect(all[0]).toMatchObject({ sequence: '1', detail: { parts: { total: 4, missing: [1, 3] } } });
    expect(await test.database.query('SELECT 1 FROM inbound_parts')).toEqual([]);
  });

  it('takes a reference that is used again for another message', async () => {
    await write(part(1, 2, 'a'), part(2, 2, 'b'));
    await write(part(1, 2, 'c'));
    await write(part(1, 2, 'e'), part(2, 2, 'f'));
    expect((await rows()).map((row) => row.text)).toEqual(['ab', 'c[…]', 'ef']);
  });

  it('keeps whatever a phone can send', async () => {
    const text = `a+b&c=d%20 'quoted" \\ {1,2} NULL 🙂 שלום`;
    await write(inbound({ text, from: 'x'.repeat(5000), occurredAt: 8.64e15, detail: { media: [{ url: 'u"\\' }] } }));
    const [row] = await rows();
    expect(row).toMatchObject({ text, detail: { media: [{ url: 'u"\\' }] } });
  });
});
