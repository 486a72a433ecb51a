import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { EmbeddedPostgres } from '../src/platform/database/embedded-postgres';
import { cpuSecondsOfTree } from './cpu';

const ROLE = 'bench';

/** A database of the run, seen by its superuser: row-level security hides nothing from the checks. */
export interface BenchDatabase {
  /** For the service, which is no superuser. */
  url: string;
  client: Client;
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
}

/**
 * The run's PostgreSQL server with the settings that the embedded default has; every commit is on the disk before it is answered. Its files
 * are removed at the end.
 */
export class BenchPostgres {
  private readonly directory = reachableDirectory();
  private readonly password = randomBytes(16).toString('hex');
  private readonly server: EmbeddedPostgres;
  private readonly clients: Client[] = [];
  private postmaster = 0;

  /** @param measureStatements loads pg_stat_statements, which costs a little */
  constructor(private readonly measureStatements: boolean) {
    this.server = new EmbeddedPostgres({
      directory: join(this.directory, 'postgres'),
      password: this.password,
      settings: measureStatements ? { shared_preload_libraries: 'pg_stat_statements' } : {},
    });
  }

  async start(): Promise<void> {
    await this.server.start();
    const admin = await this.connect('postgres');
    await admin.query(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${this.password}'`);
    if (this.measureStatements) await admin.query('CREATE EXTENSION pg_stat_statements');
    const { rows } = await admin.query<{ pid: number; fsync: string; commit: string }>(
      `SELECT pg_backend_pid() AS pid, current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit`,
    );
    if (rows[0]!.fsync !== 'on' || rows[0]!.commit !== 'on') throw new Error('PostgreSQL does not sync its commits');
    const stat = readFileSync(`/proc/${rows[0]!.pid}/stat`, 'utf8');
    this.postmaster = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  }

  async database(name: string): Promise<BenchDatabase> {
    const admin = this.clients[0]!;
    await admin.query(`CREATE DATABASE ${name} OWNER ${ROLE}`);
    const client = await this.connect(name);
    return {
      url: this.server.url(name, ROLE, this.password),
      client,
      query: async <Row extends object>(text: string, values?: unknown[]) =>
        (await client.query<Row>(text, values)).rows,
    };
  }

  /** Gives the disk space back; nobody may be connected but the run itself. */
  async drop(database: BenchDatabase): Promise<void> {
    const name = database.client.database!;
    this.clients.splice(this.clients.indexOf(database.client), 1);
    await database.client.end();
    await this.clients[0]!.query(`DROP DATABASE ${name}`);
  }

  /** User and system seconds of the whole server. */
  cpuSeconds(): number {
    return cpuSecondsOfTree(this.postmaster);
  }

  /** So that a checkpoint of what a row wrote does not fall into the next one's time. */
  async checkpoint(): Promise<void> {
    await this.clients[0]!.query('CHECKPOINT');
  }

  async resetStatements(): Promise<void> {
    await this.clients[0]!.query('SELECT pg_stat_statements_reset()');
  }

  /** What the server spent its time on since the reset, the dearest statement first. */
  async statements(): Promise<string> {
    const { rows } = await this.clients[0]!.query<{
      calls: number;
      rows: number;
      total: number;
      wal: number;
      query: string;
    }>(
      `SELECT calls::int, rows::int, total_exec_time::int AS total, (wal_bytes / 1024)::int AS wal, query FROM pg_stat_statements
       ORDER BY total_exec_time DESC LIMIT 25`,
    );
    const lines = rows.map(({ calls, rows: count, total, wal, query }) => {
      const text = query.replace(/\s+/g, ' ').slice(0, 110);
      return [total, calls, count, wal].map((value) => String(value).padStart(9)).join(' ') + `  ${text}`;
    });
    return `${['ms', 'calls', 'rows', 'WAL KiB'].map((name) => name.padStart(9)).join(' ')}\n${lines.join('\n')}\n`;
  }

  async stop(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end().catch(() => {})));
    // The server's process does not keep this one alive; waiting for its end must.
    const wait = setInterval(() => {}, 1000);
    await this.server.stop();
    clearInterval(wait);
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async connect(database: string): Promise<Client> {
    const client = new Client({ connectionString: this.server.url(database) });
    client.on('error', () => {});
    await client.connect();
    this.clients.push(client);
    return client;
  }
}

/** Under root PostgreSQL runs as another user. It stays in this directory, which is removed in the end, only when that one can reach it. */
function reachableDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'unimsg-bench-'));
  chmodSync(directory, 0o755);
  return directory;
}
