import type { Logger } from './kernel/logger';
import type { DataDirectory } from './platform/database/data-directory';
import { createDataSource, migrate } from './platform/database/data-source';
import { EmbeddedPostgres } from './platform/database/embedded-postgres';
import { StartRefused } from './start-refused';

const EMBEDDED_DATABASE = 'unimsg';
/** As `server_version_num` has it: 14.0. */
const OLDEST_POSTGRES = 140_000;

/** Starts the embedded PostgreSQL; `undo` gets what stops it. Answers the URL of the service's database. @throws StartRefused */
export async function startEmbedded(
  directory: DataDirectory,
  logger: Logger,
  undo: Array<() => Promise<void> | void>,
): Promise<string> {
  const password = directory.keys().databasePassword;
  const server = new EmbeddedPostgres({ directory: directory.file('postgres'), password, logger, restart: true });
  try {
    await server.start();
  } catch (error) {
    throw new StartRefused(`UNIMSG_DATA_DIR: ${oneLine(error)}`);
  }
  undo.push(() => server.stop());
  // The service is no superuser in its own database, so that row-level security holds for it as it does anywhere else.
  const admin = createDataSource({ url: server.url('postgres'), poolSize: 1 });
  await admin.initialize();
  try {
    const [role] = await admin.query<unknown[]>('SELECT 1 FROM pg_roles WHERE rolname = $1', [EMBEDDED_DATABASE]);
    const literal = password.replaceAll("'", "''");
    if (!role) await admin.query(`CREATE ROLE ${EMBEDDED_DATABASE} LOGIN PASSWORD '${literal}'`);
    const [database] = await admin.query<unknown[]>('SELECT 1 FROM pg_database WHERE datname = $1', [
      EMBEDDED_DATABASE,
    ]);
    if (!database) await admin.query(`CREATE DATABASE ${EMBEDDED_DATABASE} OWNER ${EMBEDDED_DATABASE}`);
  } finally {
    await admin.destroy();
  }
  return server.url(EMBEDDED_DATABASE, EMBEDDED_DATABASE);
}

/** Brings the schema up to date. @throws StartRefused when the database cannot be reached, or is too old */
export async function migrateSchema(url: string, logger: Logger): Promise<void> {
  const dataSource = createDataSource({ url, poolSize: 2, applicationName: 'unimsg-migrate' });
  try {
    await dataSource.initialize();
  } catch (error) {
    // Without the URL: it holds a password.
    throw new StartRefused(`DATABASE_URL: the database cannot be reached: ${oneLine(error)}`);
  }
  try {
    const [server] = await dataSource.query<Array<{ number: number; version: string }>>(
      `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version`,
    );
    checkVersion(server!);
    const ran = await migrate(dataSource);
    if (ran.length > 0) logger.info({ migrations: ran }, 'schema brought up to date');
    const [role] = await dataSource.query<Array<{ bypasses: boolean }>>(
      'SELECT rolsuper OR rolbypassrls AS bypasses FROM pg_roles WHERE rolname = current_user',
    );
    if (role?.bypasses)
      logger.warn(
        {},
        'the database role bypasses row-level security, the second fence between tenants; use an ordinary role',
      );
  } finally {
    await dataSource.destroy();
  }
}

/** @throws StartRefused */
export function checkVersion({ number, version }: { number: number; version: string }): void {
  if (number < OLDEST_POSTGRES)
    throw new StartRefused(`DATABASE_URL: PostgreSQL 14 or later is needed, and this is ${version}.`);
}

/** An error as a person reads it in one line. */
export function oneLine(error: unknown): string {
  const text = error instanceof AggregateError ? String(error.errors[0]) : String(error);
  return text
    .replace(/^Error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim();
}
