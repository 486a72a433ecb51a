import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import type { ChangeFeed } from '../../platform/database/change-feed';
import type { PersonHashes } from '../../tenancy/person-hashes';
import type { SuppressionDirectory } from './suppression-directory';
import { SuppressionsService } from './suppressions.service';

const TENANT = 'acme_0123456789ab';
const ENTRIES = 30_000;

describe('the export of a long list', () => {
  let test: TestDatabase;
  let service: SuppressionsService;
  let pages: number;

  beforeAll(async () => {
    test = await createTestDatabase();
    await test.database.execute(
      `INSERT INTO suppressions (id, client_id, channel, recipient, reason, source, created_at)
       SELECT 'sup_' || lpad(i::text, 26, '0'), $1, 'sms', '+39333' || (1000000 + i), 'stop', 'import', now() FROM generate_series(1, $2) AS i`,
      [TENANT, ENTRIES],
    );
    // As autovacuum would, which is off in tests.
    await test.database.execute('ANALYZE suppressions');
    const counting = Object.create(test.database) as typeof test.database;
    counting.tenant = (clientId, work) => {
      pages += 1;
      return test.database.tenant(clientId, work);
    };
    const [directory, feed, hashes] = [{}, {}, {}];
    service = new SuppressionsService(
      counting,
      directory as SuppressionDirectory,
      feed as ChangeFeed,
      hashes as PersonHashes,
    );
  });
  afterAll(() => test.drop());
  beforeEach(() => {
    pages = 0;
  });

  it('reads no further than it is taken, and all of it in the end', async () => {
    const stream = Readable.from(service.csv(TENANT, {}));
    await once(stream, 'readable');
    let text = String(stream.read());
    for (let i = 0; i < 50; i++) await turn();
    // One that is read, and one that waits.
    expect(pages).toBeLessThanOrEqual(2);
    for await (const chunk of stream) text += String(chunk);
    expect(pages).toBe(ENTRIES / 1000 + 1);
    const lines = text.trimEnd().split('\r\n');
    expect(lines).toHaveLength(ENTRIES + 1);
    expect(lines[1]).toMatch(/^sms,\+393331030000,stop,import,,/);
    expect(new Set(lines).size).toBe(ENTRIES + 1);
  });
});
