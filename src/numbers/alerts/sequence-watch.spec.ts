import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { ManualClock } from '../../kernel/clock';
import { idAt } from '../../kernel/ids';
import { silentLogger } from '../../kernel/logger';
import { AlertBook } from '../../platform/alerts/alert-book';
import { EventSignal, EventStore } from '../../platform/events/event-store';
import { InboundWatch } from './inbound-watch';

const ACME = 'acme_1';
const SECOND = 1000;
const HOUR = 3_600_000;

describe('gaps in a provider’s own sequence', () => {
  let test: TestDatabase;
  let clock: ManualClock;
  const watch = () =>
    new InboundWatch(
      test.database,
      new AlertBook(new EventStore(new EventSignal())),
      new EventSignal(),
      clock,
      silentLogger,
    ).run();

  let messages = 0;
  /** Messages of a bot come in. */
  const come = async (sequences: number[], config = 'cfg_bot', client = ACME): Promise<void> => {
    for (const sequence of sequences) {
      const id = idAt('inbound', clock.now()).slice(0, -6) + String(messages++).padStart(6, '0');
      await test.database.execute(
        `INSERT INTO inbound_messages (id, created_at, client_id, channel, provider, config_id, sender, recipient, text, occurred_at, received_at, state,
           event_id, provider_sequence)
         VALUES ($1, $2, $3, 'telegram', 'telegram_bot', $4, '7', '', 'hi', $2, $2, 'unmatched', $1, $5)`,
        [id, new Date(clock.now()), client, config, sequence],
      );
      await other([sequence], config);
    }
  };
  /** The provider said something that is no message. */
  const other = (sequences: number[], config = 'cfg_bot') =>
    test.database.execute(
      `INSERT INTO provider_event_keys (config_id, event_id, created_at) SELECT $1, s::text, now() FROM unnest($2::bigint[]) s ON CONFLICT DO NOTHING`,
      [config, sequences],
    );
  const told = async () => {
    const rows = await test.database.query<{ type: string; data: Record<string, unknown> }>(
      'SELECT type, data FROM events ORDER BY tx, seq',
    );
    await test.database.execute('TRUNCATE events');
    return rows.map(({ type, data }) => [type, data.subject, data.after_sequence, data.before_sequence, data.missing]);
  };
  /** Long enough for what is on its way. */
  const look = async (): Promise<void> => {
    clock.advance(20 * SECOND);
    await watch();
  };

  beforeAll(async () => {
    test = await createTestDatabase();
  });
  beforeEach(async () => {
    // The months around it have partitions.
    clock = new ManualClock(Date.now());
    await test.database.execute(
      'TRUNCATE alerts, alert_mails, events, inbound_messages, provider_event_keys, provider_sequences, sequence_gaps',
    );
    await test.database.execute(`UPDATE alert_watches SET position = ''`);
  });
  afterAll(() => test.drop());

  it('raises one alert an account, and ends it when what was missing has come', async () => {
    await come([41, 44, 45, 48]);
    await come([7, 8, 9], 'cfg_other', 'bell_2');
    await Promise.all([look(), watch(), watch()]);
    await look();
    expect(await told()).toEqual([['alert.raised', 'cfg_bot', 41, 44, 4]]);
    await come([43, 46]);
    await look();
    expect(await told()).toEqual([]);
    await come([47, 42]);
    await look();
    expect(await told()).toEqual([['alert.cleared', 'cfg_bot', 41, 44, 4]]);
    await come([49]);
    await look();
    expect([await told(), await test.database.query('SELECT FROM sequence_gaps')]).toEqual([[], []]);
  });

  it('waits for what is on its way, and counts what is no message', async () => {
    await come([10, 13]);
    await watch();
    expect(await told()).toEqual([]);
    await come([12]);
    await other([11]);
    await look();
    expect(await told()).toEqual([]);
  });

  it('finds a gap between what it saw and what came later', async () => {
    await come([100]);
    await look();
    clock.advance(HOUR);
    await come([103]);
    await look();
    expect(await told()).toEqual([['alert.raised', 'cfg_bot', 100, 103, 2]]);
  });

  it('gives up what has not come after a day', async () => {
    await come([100, 102]);
    await look();
    clock.advance(23 * HOUR);
    await watch();
    clock.advance(2 * HOUR);
    await watch();
    expect((await told()).map(([type]) => type)).toEqual(['alert.raised', 'alert.cleared']);
  });

  it('takes a new beginning after a long silence for no gap', async () => {
    await come([100]);
    await look();
    clock.advance(7 * 24 * HOUR);
    await come([5_000, 5_001]);
    await look();
    await come([5_002]);
    await look();
    expect(await told()).toEqual([]);
  });

  it('counts nothing of providers that do not count', async () => {
    await come([1]);
    await test.database.execute('UPDATE inbound_messages SET provider_sequence = NULL');
    await look();
    expect(await test.database.query('SELECT FROM provider_sequences')).toEqual([]);
  });

  it('does not ask about each of a wide gap', async () => {
    await come([1, 5_000_000]);
    await look();
    expect(await told()).toEqual([['alert.raised', 'cfg_bot', 1, 5_000_000, 4_999_998]]);
  });
});
