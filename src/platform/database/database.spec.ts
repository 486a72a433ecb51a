import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { isDatabaseUnavailable } from './database';

describe('Database', () => {
  let test: TestDatabase;

  beforeAll(async () => {
    test = await createTestDatabase();
    await test.database.query(
      `INSERT INTO idempotency_keys SELECT c, 'k', '\\x00', 'msg', now() FROM unnest($1::text[]) c`,
      [['a_1', 'b_1']],
    );
  });

  afterAll(() => test.drop());

  it('shows the system all rows and a tenant only its own', async () => {
    const all = await test.database.query<{ client_id: string }>('SELECT client_id FROM idempotency_keys ORDER BY 1');
    expect(all.map((row) => row.client_id)).toEqual(['a_1', 'b_1']);
    const own = await test.database.tenant('a_1', (tx) =>
      tx.query<{ client_id: string }>('SELECT client_id FROM idempotency_keys'),
    );
    expect(own.map((row) => row.client_id)).toEqual(['a_1']);
  });

  it('refuses a row of another tenant inside a tenant scope, and the scope ends with the transaction', async () => {
    const write = test.database.tenant('a_1', (tx) =>
      tx.query(`INSERT INTO idempotency_keys VALUES ('b_1', 'k2', '\\x00', 'msg', now())`),
    );
    await expect(write).rejects.toThrow(/row-level security/);
    expect(await test.database.execute('UPDATE idempotency_keys SET message_id = message_id')).toBe(2);
  });

  it('refuses a scope that is no client id', async () => {
    await expect(test.database.tenant("x'; --", () => Promise.resolve())).rejects.toThrow('not a client id');
  });

  it('rolls back what failed', async () => {
    const work = test.database.transaction(async (tx) => {
      await tx.execute(`DELETE FROM idempotency_keys`);
      throw new Error('stop');
    });
    await expect(work).rejects.toThrow('stop');
    expect(await test.database.query('SELECT 1 FROM idempotency_keys')).toHaveLength(2);
  });

  it('tells a database that is away from a statement that is wrong', async () => {
    const wrong: unknown = await test.database.query('SELECT nonsense').catch((error: unknown) => error);
    expect(isDatabaseUnavailable(wrong)).toBe(false);
    const killed: unknown = await test.database
      .query('SELECT pg_terminate_backend(pg_backend_pid())')
      .catch((error: unknown) => error);
    expect(isDatabaseUnavailable(killed)).toBe(true);
    expect(await test.database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});
