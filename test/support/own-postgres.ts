import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDataSource } from '../../src/platform/database/data-source';
import { Database } from '../../src/platform/database/database';
import { EmbeddedPostgres } from '../../src/platform/database/embedded-postgres';
import { freePort } from './child-service';
import { until } from './until';

/** How a PostgreSQL server ends: open transactions rolled back and connections closed, or as in a crash. */
export type ShutdownMode = 'fast' | 'immediate';
const SHUTDOWN: Record<ShutdownMode, NodeJS.Signals> = { fast: 'SIGINT', immediate: 'SIGQUIT' };

/** A PostgreSQL server of one spec's own, which the spec may stop and start on the same port. Synced to disk as in production. */
export class OwnPostgres {
  private server: EmbeddedPostgres | undefined;

  private constructor(
    private readonly directory: string,
    private readonly password: string,
    private readonly port: number,
  ) {}

  static async start(): Promise<OwnPostgres> {
    const directory = mkdtempSync(join(tmpdir(), 'unimsg-pg-'));
    // The server may run as another user.
    chmodSync(directory, 0o755);
    const own = new OwnPostgres(directory, randomBytes(12).toString('hex'), await freePort());
    await own.up();
    const admin = createDataSource({ url: own.urlOf('postgres', 'postgres', own.password), poolSize: 1 });
    await admin.initialize();
    await admin.query(`CREATE ROLE unimsg LOGIN PASSWORD 'unimsg'`);
    await admin.query('CREATE DATABASE unimsg OWNER unimsg');
    await admin.destroy();
    return own;
  }

  /** Connection URL of the service's database. */
  get url(): string {
    return this.urlOf('unimsg', 'unimsg', 'unimsg');
  }

  /** Starts it again after {@link down}. */
  async up(): Promise<void> {
    this.server = new EmbeddedPostgres({
      directory: join(this.directory, 'cluster'),
      password: this.password,
      settings: { port: String(this.port) },
    });
    await this.server.start();
  }

  async down(mode: ShutdownMode): Promise<void> {
    const pidFile = join(this.directory, 'cluster', 'postmaster.pid');
    const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
    process.kill(pid, SHUTDOWN[mode]);
    await until('PostgreSQL has ended', () => !existsSync(`/proc/${pid}`));
    await this.server?.stop();
    this.server = undefined;
  }

  /** One query on a connection of its own. */
  async query<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
    const dataSource = createDataSource({ url: this.url, poolSize: 1, applicationName: 'spec' });
    await dataSource.initialize();
    try {
      return await new Database(dataSource).query<Row>(text, values);
    } finally {
      await dataSource.destroy();
    }
  }

  /** Ends it and deletes its data. */
  async remove(): Promise<void> {
    await this.server?.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private urlOf(database: string, user: string, password: string): string {
    return `postgres://${user}:${password}@127.0.0.1:${this.port}/${database}`;
  }
}
