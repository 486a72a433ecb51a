import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { until } from '../../../test/support/until';
import { ManualClock } from '../../kernel/clock';
import { ChangeFeed } from '../../platform/database/change-feed';
import { SecretBox } from '../../platform/secrets/secret-box';
import { PersonHashes } from '../../tenancy/person-hashes';
import type { NewSuppression } from './suppression';
import { SuppressionDirectory, type Addressed } from './suppression-directory';
import { feedSuppressions, restoreRecipient } from './suppression-statements';
import { SuppressionsService } from './suppressions.service';

const TENANT = 'acme_0123456789ab';
const OTHER = 'rival_0123456789ab';

describe('SuppressionDirectory', () => {
  let test: TestDatabase;
  let feed: ChangeFeed;
  let clock: ManualClock;
  let directory: SuppressionDirectory;
  let queries: number;
  let hashes: PersonHashes;

  beforeAll(async () => {
    test = await createTestDatabase();
    feed = new ChangeFeed(test.url);
    feed.onModuleInit();
  });
  afterAll(async () => {
    await feed.onApplicationShutdown();
    await test.drop();
  });
  beforeEach(async () => {
    await test.database.query('DELETE FROM suppressions');
    clock = new ManualClock();
    queries = 0;
    const box = new SecretBox(`k1:${Buffer.alloc(32, 7).toString('base64')}`);
    hashes = new PersonHashes(test.database, box, clock);
    const counting = Object.create(test.database) as typeof test.database;
    counting.tenant = (clientId, work) => {
      queries += 1;
      return test.database.tenant(clientId, work);
    };
    directory = new SuppressionDirectory(counting, hashes, feed, clock);
  });

  const to = (recipient: string, more: Partial<Addressed> = {}): Addressed => ({
    clientId: TENANT,
    channel: 'sms',
    recipient,
    content: null,
    ...more,
  });
  const enter = (recipient: string, more: Partial<NewSuppression> = {}) =>
    test.database.transaction((tx) =>
      feedSuppressions(tx, [
        { clientId: TENANT, channel: 'sms', recipient, reason: 'stop', source: 'inbound', ...more },
      ]),
    );

  it('asks once of a tenant without a list, and then never', async () => {
    expect(directory.isClear(to('+393331234567'))).toBe(false);
    expect(await directory.find(to('+393331234567'))).toEqual([]);
    expect(queries).toBe(1);
    for (let i = 0; i < 100; i++) expect(directory.isClear(to(`+3933312345${10 + (i % 90)}`))).toBe(true);
    expect(queries).toBe(1);
    clock.advance(60_000);
    expect(directory.isClear(to('+393331234567'))).toBe(false);
  });

  it('finds who is on the list of the tenant and channel, and nobody else', async () => {
    await enter('+393331234567');
    expect(await directory.find(to('+393331234567'))).toEqual([{ recipient: '+393331234567', reason: 'stop' }]);
    expect(directory.isClear(to('+393331234567'))).toBe(false);
    expect(await directory.find(to('+393331234567', { channel: 'whatsapp' }))).toEqual([]);
    expect(await directory.find(to('+393331234567', { clientId: OTHER }))).toEqual([]);
    await test.database.transaction((tx) => restoreRecipient(tx, TENANT, 'sms', ['+393331234567'], 'stop'));
    expect(await directory.find(to('+393331234567'))).toEqual([]);
  });

  it('looks at every recipient of an email, however it is spelt', async () => {
    await enter('bob@example.com', { channel: 'email', reason: 'unsubscribe' });
    const email = (content: object) => to('ada@example.com', { channel: 'email', content });
    expect(await directory.find(email({ to: [{ email: 'ada@example.com' }] }))).toEqual([]);
    for (const content of [
      { to: [{ email: 'ada@example.com' }, { email: 'Bob@Example.COM' }] },
      { to: [{ email: 'ada@example.com' }], cc: [{ email: 'bob@example.com' }] },
      { to: [{ email: 'ada@example.com' }], bcc: [{ email: 'bob@example.com' }] },
    ])
      expect(await directory.find(email(content))).toEqual([{ recipient: 'bob@example.com', reason: 'unsubscribe' }]);
  });

  it('learns at once of what another process enters', async () => {
    expect(await directory.find(to('+393331234567'))).toEqual([]);
    expect(directory.isClear(to('+393331234567'))).toBe(true);
    await enter('+393331234567');
    await until('the change is told', () => Promise.resolve(!directory.isClear(to('+393331234567'))));
    expect(await directory.find(to('+393331234567'))).toHaveLength(1);
    expect(directory.isClear(to('+393337654321'))).toBe(true);
  });

  it('misses nothing that is entered while it reads', async () => {
    await enter('+393330000001');
    const reading = directory.find(to('+393331234567'));
    directory.added(TENANT, 'sms', '+393331234567');
    await reading;
    expect(directory.isClear(to('+393331234567'))).toBe(false);
  });

  it('reads long lists whole', async () => {
    const service = new SuppressionsService(test.database, directory, feed, hashes);
    const lines = Array.from({ length: 20_001 }, (_, i) => `sms,+39333${String(1_000_000 + i)}`);
    expect(await service.import(TENANT, `channel,recipient\n${lines.join('\n')}\n`)).toMatchObject({
      created: 20_001,
      updated: 0,
      rejected: 0,
    });
    // The import is told of as a whole, so what was read before that is read again.
    await until('the list is read', async () => {
      await directory.find(to('+393349999999'));
      return directory.isClear(to('+393349999999')) || directory.isClear(to('+393349999998'));
    });
    const clear = lines.filter((line) => directory.isClear(to(line.slice(4))));
    expect(clear).toEqual([]);
    const strangers = Array.from({ length: 10_000 }, (_, i) => to(`+39334${String(1_000_000 + i)}`));
    expect(strangers.filter((one) => directory.isClear(one)).length).toBeGreaterThan(9_700);
  });
});
