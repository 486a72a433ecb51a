import { DataSource, type DataSourceOptions, type MixedList } from 'typeorm';
import { MIGRATIONS } from './migrations';

export interface DataSourceSettings {
  url: string;
  /** Most connections. */
  poolSize: number;
  entities?: MixedList<Function | string>;
  /** Shown in pg_stat_activity. */
  applicationName?: string;
  /** For the message path: see {@link HOT_SESSION_OPTIONS}. */
  hot?: boolean;
}

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** Every connection begins in the system scope; `Database.tenant` narrows it for a transaction. */
const SESSION_OPTIONS =
  '-c unimsg.scope=* -c timezone=UTC -c statement_timeout=60000 -c lock_timeout=20000 ' +
  // A process that was stopped in the middle of a transaction must not keep its locks from the others.
  '-c idle_in_transaction_session_timeout=10000 ' +
  // No statement here runs for so long that compiling it first pays; where PostgreSQL guesses that one does, that costs it half a second.
  '-c jit=off';

/**
 * On the message path each statement finds a batch of rows by their keys, in tables that grow from nothing to millions. What PostgreSQL knows of
 * their size is a minute old at best, and a plan that was made for an empty table reads all of a full one. So only index look-ups are
 * allowed here, and a plan is made once.
 */
const HOT_SESSION_OPTIONS =
  '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c plan_cache_mode=force_generic_plan';

/** Never synchronises: the schema comes from `migrations/` only, in tests too. */
export function dataSourceOptions(settings: DataSourceSettings): PostgresOptions {
  return {
    type: 'postgres',
    url: settings.url,
    entities: settings.entities ?? [],
    migrations: [...MIGRATIONS],
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    applicationName: settings.applicationName ?? 'unimsg',
    poolSize: settings.poolSize,
    // A request must not wait for minutes when the database is away: it answers 503 instead.
    connectTimeoutMS: 5_000,
    logging: false,
    extra: { options: settings.hot ? `${SESSION_OPTIONS} ${HOT_SESSION_OPTIONS}` : SESSION_OPTIONS, keepAlive: true },
    // Errors of idle connections (a restart of the server) are expected: the pool drops the connection and opens another.
    poolErrorHandler: () => {},
  };
}

/** A data source outside Nest: for start-up, tests and the bench. */
export function createDataSource(settings: DataSourceSettings): DataSource {
  return new DataSource(dataSourceOptions(settings));
}

const MIGRATION_LOCK = 815_001;

/** Brings the schema up to date; several processes that start at once take turns. Answers the names of what ran. */
export async function migrate(dataSource: DataSource): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  try {
    await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return (await dataSource.runMigrations()).map((migration) => migration.name);
  } finally {
    await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => {});
    await runner.release();
  }
}
