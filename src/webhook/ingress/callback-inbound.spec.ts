import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { OutcomeRecorder } from '../../gateway/budget/outcome-recorder';
import type { ProviderRegistry } from '../../gateway/provider-registry';
import { ManualClock } from '../../kernel/clock';
import { silentLogger } from '../../kernel/logger';
import { InboundSignal } from '../../messaging/inbound/inbound-signal';
import { InboundWriter } from '../../messaging/inbound/inbound-writer';
import { UnmatchedAlerts } from '../../messaging/inbound/unmatched-alerts';
import { EngagementWriter } from '../../messaging/record/engagement-writer';
import { MessageSignal } from '../../messaging/record/message-signal';
import { MessageWriter } from '../../messaging/record/message-writer';
import type { SuppressionDirectory } from '../../messaging/suppression/suppression-directory';
import { AlertBook } from '../../platform/alerts/alert-book';
import type { Database } from '../../platform/database/database';
import { EventSignal, EventStore } from '../../platform/events/event-store';
import type { PersonHashes } from '../../tenancy/person-hashes';
import { CallbackEffects } from './callback-effects';
import { CallbackStore } from './callback-store';
import type { ReceivedEvent } from './received-event';

const TENANT = 'acme_0123456789ab';
const NUMBER = '+393330000001';
const DAY_MS = 24 * 3_600_000;

describe('inbound messages in callbacks', () => {
  let test: TestDatabase;
  let clock: ManualClock;
  let stores: CallbackStore[];

  beforeAll(async () => {
    test = await createTestDatabase();
  });
  afterAll(() => test.drop());
  beforeEach(async () => {
    await test.database.execute(
      'TRUNCATE numbers, number_receivers, inbound_messages, inbound_deliveries, provider_events, provider_event_keys, events, usage_deltas',
    );
    await test.database.execute(
      `INSERT INTO numbers (id, client_id, number, channel, provider, created_at, updated_at) VALUES ('num_a', $1, $2, 'sms', 'agile', now(), now())`,
      [TENANT, NUMBER],
    );
    clock = new ManualClock(Date.now());
    // As two processes have them.
    stores = [storeOn(test.database), storeOn(test.database)];
  });

  function storeOn(database: Database): CallbackStore {
    const definition = { channel: 'sms' };
    const registry = { get: () => definition, require: () => definition } as unknown as ProviderRegistry;
    const suppressions = { added() {} } as unknown as SuppressionDirectory;
    const signal = new EventSignal();
    const events = new EventStore(signal);
    const inbound = new InboundWriter(
      events,
      registry,
      new InboundSignal(),
      new UnmatchedAlerts(new AlertBook(events)),
    );
    const effects = new CallbackEffects(new EngagementWriter(events), registry, suppressions, inbound, {
      known: () => Promise.resolve(undefined),
    } as unknown as PersonHashes);
    const outcomes = new OutcomeRecorder(database, clock, silentLogger);
    const writer = new MessageWriter(database, signal, new MessageSignal(), suppressions, outcomes, clock);
    return new CallbackStore(database, writer, effects, signal);
  }

  function posted(text: string): ReceivedEvent {
    return {
      clientId: TENANT,
      configId: 'cfg_a',
      provider: 'agile',
      kind: 'inbound',
      // As of a provider without ids.
      event: {
        kind: 'inbound',
        eventId: text,
        repeatsFor: DAY_MS,
        occurredAt: null,
        rawWord: 'inbound',
        from: '+393331234567',
        to: NUMBER,
        text,
      },
      eventId: text,
      receivedAt: clock.now(),
      request: {},
      rawBody: Buffer.from(text),
    };
  }

  async function sequences(): Promise<number[]> {
    const rows = await test.database.query<{ sequence: number }>(
      'SELECT sequence::int FROM inbound_messages ORDER BY sequence',
    );
    return rows.map((row) => row.sequence);
  }

  it('takes equal content for the same message for a day, and for a new one after it', async () => {
    const comes = () => Promise.all([...stores, ...stores].map((store) => store.store(posted('same'))));
    await comes();
    clock.advance(DAY_MS - 1);
    await comes();
    expect(await sequences()).toEqual([1]);
    clock.advance(1);
    await comes();
    expect(await sequences()).toEqual([1, 2]);
    // The day counts from the second one now.
    clock.advance(DAY_MS - 1);
    await comes();
    expect(await sequences()).toEqual([1, 2]);
    clock.advance(1);
    await comes();
    expect(await sequences()).toEqual([1, 2, 3]);
  });

  it('counts each message in usage with the statement that writes it, a repeat not again', async () => {
    // A quarter of an hour that is not over while the test runs.
    clock.set(Math.floor(Date.now() / 900_000) * 900_000 + 7 * 60_000);
    await Promise.all([...stores, ...stores].map((store) => store.store(posted('same'))));
    await stores[0]!.store(posted('another'));
    const [{ inbound }] = (await test.database.query<{ inbound: number }>(
      `SELECT sum(inbound)::int AS inbound FROM usage_deltas
       WHERE client_id = $1 AND bucket = to_timestamp($2::float8 / 1000) AND config_id = 'cfg_a' AND channel = 'sms'`,
      [TENANT, clock.now() - 7 * 60_000],
    )) as [{ inbound: number }];
    expect(inbound).toBe(2);
  });

  it('leaves no gap and loses nothing when many come at once and some cannot be written', async () => {
    await test.database.execute(
      `ALTER TABLE inbound_messages ADD CONSTRAINT no_bad_news CHECK (text NOT LIKE 'bad%') NOT VALID`,
    );
    try {
      const results = await Promise.allSettled(
        Array.from({ length: 200 }, (_, n) => stores[n % 2]!.store(posted(n % 10 === 3 ? `bad ${n}` : `good ${n}`))),
      );
      expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(20);
    } finally {
      await test.database.execute('ALTER TABLE inbound_messages DROP CONSTRAINT no_bad_news');
    }
    expect(await sequences()).toEqual(Array.from({ length: 180 }, (_, index) => index + 1));
    // What was not written took no key: the provider is heard when it sends it again.
    await Promise.all(Array.from({ length: 20 }, (_, n) => stores[n % 2]!.store(posted(`bad ${n * 10 + 3}`))));
    expect(await sequences()).toHaveLength(200);
    const [{ last }] = (await test.database.query<{ last: number }>(
      `SELECT sequence::int AS last FROM numbers WHERE id = 'num_a'`,
    )) as [{ last: number }];
    expect(last).toBe(200);
  });
});
