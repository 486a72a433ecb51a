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
    await own.administer(`CREATE ROLE unimsg LOGIN PASSWORD 'unimsg'`);
    return own;
  }

  /** Makes an empty database and answers its URL. */
  async createDatabase(): Promise<string> {
    const name = `d_${randomBytes(6).toString('hex')}`;
    await this.administer(`CREATE DATABASE ${name} OWNER unimsg`);
    return this.urlOf(name, 'unimsg', 'unimsg');
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
  static async query<Row>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
    const dataSource = createDataSource({ url, poolSize: 1, applicationName: 'spec' });
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

  private async administer(statement: string): Promise<void> {
    const admin = createDataSource({ url: this.urlOf('postgres', 'postgres', this.password), poolSize: 1 });
    await admin.initialize();
    try {
      await admin.query(statement);
    } finally {
      await admin.destroy();
    }
  }

  private urlOf(database: string, user: string, password: string): string {
    return `postgres://${user}:${password}@127.0.0.1:${this.port}/${database}`;
  }
}
