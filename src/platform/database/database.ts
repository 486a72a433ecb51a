import type { DataSource, EntityManager, QueryRunner } from 'typeorm';

/** What `pg` answers to a query, as far as we use it. */
interface PgResult<Row> {
  rows: Row[];
  rowCount: number | null;
}

interface PgClient {
  end(): Promise<void>;
  query<Row>(query: { name?: string; text: string; values?: readonly unknown[] }): Promise<PgResult<Row>>;
}

/** A statement that is planned once a connection. `name` must be unique to its text. */
export interface PreparedStatement {
  name: string;
  text: string;
}

/** Names a statement; a function so that call sites read as declarations. */
export function statement(name: string, text: string): PreparedStatement {
  return { name, text };
}

/** An open transaction. */
export class Transaction {
  constructor(private readonly runner: QueryRunner) {}

  /** TypeORM's manager inside this transaction, for entities. */
  get manager(): EntityManager {
    return this.runner.manager;
  }

  async query<Row>(query: string | PreparedStatement, values: readonly unknown[] = []): Promise<Row[]> {
    return (await runOn<Row>(this.runner, query, values)).rows;
  }

  /** As {@link query}, answers how many rows were changed. */
  async execute(query: string | PreparedStatement, values: readonly unknown[] = []): Promise<number> {
    return (await runOn(this.runner, query, values)).rowCount ?? 0;
  }
}

/**
 * The one door to PostgreSQL. Two scopes, enforced by row-level security as the second fence behind the `client_id` in every query:
 * `tenant(clientId, …)` sees one tenant's rows only; everything else runs in the system scope, which a connection has by default.
 */
export class Database {
  /**
   * @param hot pool for {@link PreparedStatement}s and {@link flush}es, planned as `HOT_SESSION_OPTIONS` says; default: the same pool
   */
  constructor(
    readonly dataSource: DataSource,
    private readonly hot: DataSource = dataSource,
  ) {}

  /** One statement in the system scope, in its own transaction. */
  async query<Row>(query: string | PreparedStatement, values: readonly unknown[] = []): Promise<Row[]> {
    return this.withRunner(this.poolFor(query), async (runner) => (await runOn<Row>(runner, query, values)).rows);
  }

  /** As {@link query}, answers how many rows were changed. */
  async execute(query: string | PreparedStatement, values: readonly unknown[] = []): Promise<number> {
    return this.withRunner(this.poolFor(query), async (runner) => (await runOn(runner, query, values)).rowCount ?? 0);
  }

  /** A transaction in the system scope. */
  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.inTransaction(this.dataSource, 'BEGIN', work);
  }

  /** A transaction in the system scope on the message path: batches of rows found by their keys. */
  async flush<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.inTransaction(this.hot, 'BEGIN', work);
  }

  /** A transaction that sees and writes the rows of one tenant only. */
  async tenant<T>(clientId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    // A client id is [a-z0-9_-] only; checked here because a SET takes no parameters.
    if (!/^[a-z0-9_-]{1,80}$/.test(clientId)) throw new Error('not a client id');
    return this.inTransaction(this.dataSource, `BEGIN; SET LOCAL unimsg.scope = '${clientId}'`, work);
  }

  private poolFor(query: string | PreparedStatement): DataSource {
    return typeof query === 'string' ? this.dataSource : this.hot;
  }

  private async inTransaction<T>(pool: DataSource, begin: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.withRunner(pool, async (runner) => {
      await runOn(runner, begin, []);
      try {
        const result = await work(new Transaction(runner));
        await runOn(runner, 'COMMIT', []);
        return result;
      } catch (error) {
        if (!isDatabaseUnavailable(error)) await runOn(runner, 'ROLLBACK', []);
        throw error;
      }
    });
  }

  private async withRunner<T>(pool: DataSource, work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const runner = pool.createQueryRunner();
    try {
      return await work(runner);
    } catch (error) {
      // The pool learns of a dead connection only when its socket closes, a moment later, and would hand it out until then. One that was
      // told to end is dropped at its release.
      if (isDatabaseUnavailable(error)) {
        const client = (runner as unknown as { databaseConnection?: PgClient }).databaseConnection;
        void client?.end().catch(() => {});
      }
      throw error;
    } finally {
      await runner.release();
    }
  }
}

async function runOn<Row>(
  runner: QueryRunner,
  query: string | PreparedStatement,
  values: readonly unknown[],
): Promise<PgResult<Row>> {
  // TypeORM's own `query` cannot name a statement, and a named one saves PostgreSQL the planning of large statements on each flush.
  const client = (await runner.connect()) as PgClient;
  if (typeof query !== 'string') return client.query<Row>({ ...query, values });
  return client.query<Row>(values.length > 0 ? { text: query, values } : { text: query });
}

// Connection trouble, a server that stops or starts, no disk, memory or connections left, a transaction that was given up, a read-only standby,
// trouble of the operating system.
const UNAVAILABLE_SQLSTATES = /^(08...|57P0[1235]|53...|25P0[34]|25006|58...)$/;
const UNAVAILABLE_TEXTS =
  /Connection terminated|connect ECONNREFUSED|ECONNRESET|EPIPE|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable|getaddrinfo|read-only transaction/;

/** True when an error says that the database cannot be used right now, as opposed to a statement that it refused. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (
    typeof code === 'string' &&
    (UNAVAILABLE_SQLSTATES.test(code) || /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND)$/.test(code))
  )
    return true;
  return UNAVAILABLE_TEXTS.test(error.message);
}

/** True when PostgreSQL ended a transaction because it and others waited for each other: nothing of it was written, and it may well go through now. */
export function isDeadlock(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === '40P01';
}
