import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDataSource, migrate } from '../../src/platform/database/data-source';
import { EmbeddedPostgres } from '../../src/platform/database/embedded-postgres';

/** Name of the migrated database that every spec file's own database is copied from. */
export const TEMPLATE_DATABASE = 'unimsg_template';

let server: EmbeddedPostgres | undefined;
let directory: string | undefined;

/** One real PostgreSQL server a run. The role of the tests is no superuser, so that row-level security holds for it. */
export default async function setup(): Promise<void> {
  directory = mkdtempSync(join(tmpdir(), 'unimsg-test-'));
  // The server may run as another user.
  chmodSync(directory, 0o755);
  server = new EmbeddedPostgres({
    directory: join(directory, 'postgres'),
    password: randomBytes(12).toString('hex'),
    // A database in which autovacuum is at work can be dropped by a superuser only.
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum: 'off' },
  });
  await server.start();
  const admin = createDataSource({ url: server.url('postgres'), poolSize: 2 });
  await admin.initialize();
  await admin.query(`CREATE ROLE unimsg LOGIN CREATEDB PASSWORD 'unimsg'`);
  await admin.query(`CREATE DATABASE ${TEMPLATE_DATABASE} OWNER unimsg`);
  await admin.destroy();
  const template = createDataSource({ url: server.url(TEMPLATE_DATABASE, 'unimsg', 'unimsg'), poolSize: 2 });
  await template.initialize();
  await migrate(template);
  await template.destroy();
  process.env.UNIMSG_TEST_DATABASE_URL = server.url('postgres', 'unimsg', 'unimsg');
}

export async function teardown(): Promise<void> {
  await server?.stop();
  if (directory) rmSync(directory, { recursive: true, force: true });
}
