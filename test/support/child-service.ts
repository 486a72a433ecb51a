import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const MAIN = join(ROOT, 'dist', 'src', 'main.js');

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The service as operators run it: a process of its own, of the built code. */
export class ChildService {
  private static readonly alive = new Set<ChildService>();

  /** What it wrote to standard output and to standard error. */
  stdout = '';
  stderr = '';
  exit: Exit | undefined;
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private told = false;

  private constructor(command: string[], env: Record<string, string>, identity: { uid?: number; gid?: number }) {
    this.child = spawn(command[0]!, command.slice(1), {
      cwd: ROOT,
      // Nothing of the environment of the tests but what finds programs and what marks processes of this run.
      env: { ...pick(['PATH', 'HOME', 'TMPDIR', 'UNIMSG_TEST_RUN']), NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...identity,
    });
    ChildService.alive.add(this);
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exited = new Promise((done) =>
      this.child.once('close', (code, signal) => {
        this.exit = { code, signal };
        if (this.takesRequests && !this.told)
          process.stderr.write(`The service ended by itself: ${JSON.stringify(this.exit)} ${this.tail()}\n`);
        ChildService.alive.delete(this);
        done(this.exit);
      }),
    );
  }

  /** Begins a process and waits for nothing. */
  static launch(env: Record<string, string>, identity: { uid?: number; gid?: number } = {}): ChildService {
    return new ChildService([process.execPath, MAIN], env, identity);
  }

  /** Begins a process and waits until it takes requests. */
  static async start(env: Record<string, string>, deadlineMs = 30_000): Promise<ChildService> {
    const service = ChildService.launch(env);
    await service.ready(deadlineMs);
    return service;
  }

  /** Ends what a failed test left behind. */
  static async killAll(): Promise<void> {
    await Promise.all([...this.alive].map((service) => service.kill()));
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Resolves when it has said that it is ready. @throws when it ended instead */
  async ready(deadlineMs = 30_000): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, failed) => {
      timer = setTimeout(() => failed(new Error(`not ready in ${deadlineMs} ms: ${this.tail()}`)), deadlineMs);
    });
    const ended = this.exited.then((exit) => {
      throw new Error(`ended with ${JSON.stringify(exit)} before it was ready: ${this.tail()}`);
    });
    ended.catch(() => {});
    try {
      while (!this.takesRequests) await Promise.race([once(this.child.stdout!, 'data'), ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.told = true;
    this.child.kill(signal);
  }

  /** kill -9, and waits for the end. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exited;
  }

  /** Asks it to end, as an orchestrator does. @throws when it has not ended in time */
  async stop(signal: NodeJS.Signals = 'SIGTERM', deadlineMs = 25_000): Promise<Exit> {
    this.signal(signal);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, failed) => {
      timer = setTimeout(() => failed(new Error(`did not end in ${deadlineMs} ms: ${this.tail()}`)), deadlineMs);
    });
    try {
      return await Promise.race([this.exited, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Log lines at or above `error`. */
  errors(): string[] {
    return this.stdout.split('\n').filter((line) => /"level":"(?:error|fatal)"/.test(line));
  }

  private get takesRequests(): boolean {
    return this.stdout.includes('"msg":"ready"');
  }

  private tail(): string {
    return `${this.stdout.slice(-2000)}\n${this.stderr.slice(-2000)}`;
  }
}

function pick(names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Ids of processes whose command line names a path. Linux only. */
export function processesOf(path: string): number[] {
  if (!existsSync('/proc/self')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path);
      } catch {
        return false;
      }
    });
}
