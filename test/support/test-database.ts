import { randomBytes } from 'node:crypto';
import type { MixedList } from 'typeorm';
import { createDataSource } from '../../src/platform/database/data-source';
import { Database } from '../../src/platform/database/database';
import { TEMPLATE_DATABASE } from './postgres-server.global';

export interface TestDatabase {
  database: Database;
  /** For a process or an app under test that connects by itself. */
  url: string;
  /** Closes the connections and drops the database. */
  drop(): Promise<void>;
}

/** A migrated, empty database of its own on the run's PostgreSQL server. */
export async function createTestDatabase(
  options: { entities?: MixedList<Function | string>; poolSize?: number } = {},
): Promise<TestDatabase> {
  const serverUrl = process.env.UNIMSG_TEST_DATABASE_URL;
  if (!serverUrl) throw new Error('UNIMSG_TEST_DATABASE_URL is not set; run the specs through npm test');
  const name = `t_${randomBytes(8).toString('hex')}`;
  const admin = createDataSource({ url: serverUrl, poolSize: 1 });
  await admin.initialize();
  try {
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE_DATABASE}`);
  } finally {
    await admin.destroy();
  }
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const dataSource = createDataSource({ url: url.href, poolSize: options.poolSize ?? 10, entities: options.entities });
  await dataSource.initialize();
  return {
    database: new Database(dataSource),
    url: url.href,
    async drop() {
      if (dataSource.isInitialized) await dataSource.destroy();
      const cleaner = createDataSource({ url: serverUrl, poolSize: 1 });
      await cleaner.initialize();
      try {
        await cleaner.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      } finally {
        await cleaner.destroy();
      }
    },
  };
}
