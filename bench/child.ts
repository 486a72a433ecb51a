import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** A process of the benchmark: answers commands, and ends when its parent does. */
export class Child {
  private static readonly all = new Set<Child>();
  private readonly waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  private nextId = 1;
  private ended = false;

  private constructor(
    readonly name: string,
    private readonly process: ChildProcess,
  ) {
    process.on('message', (message: { id: number; value?: unknown; error?: string }) => {
      const waiter = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if (message.error !== undefined) waiter?.reject(new Error(`${name}: ${message.error}`));
      else waiter?.resolve(message.value);
    });
    process.once('exit', (code, signal) => {
      this.ended = true;
      Child.all.delete(this);
      for (const { reject } of this.waiting.values()) reject(new Error(`${name} ended (${signal ?? code})`));
      this.waiting.clear();
    });
    Child.all.add(this);
  }

  /**
   * @param module file of this folder, without its ending
   * @param options.nodeArguments arguments of Node itself, e.g. `--cpu-prof`
   */
  static start(
    module: string,
    options: { args?: string[]; env?: Record<string, string>; nodeArguments?: string[]; name?: string } = {},
  ): Child {
    const child = fork(join(__dirname, `${module}.js`), options.args ?? [], {
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', NODE_ENV: 'production', ...options.env },
      execArgv: options.nodeArguments ?? [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    return new Child(options.name ?? module, child);
  }

  get pid(): number {
    return this.process.pid!;
  }

  ask<Answer>(command: object): Promise<Answer> {
    if (this.ended) return Promise.reject(new Error(`${this.name} has ended`));
    const id = this.nextId++;
    return new Promise<Answer>((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.process.send({ id, command });
    });
  }

  /** Ends it in an orderly way, by force when it does not within a time. */
  async stop(patienceMs = 15_000): Promise<void> {
    if (this.ended) return;
    const exit = once(this.process, 'exit');
    // A row and the end of the run may both ask for it.
    if (this.process.connected) this.process.disconnect();
    const force = setTimeout(() => this.process.kill('SIGKILL'), patienceMs);
    await exit;
    clearTimeout(force);
  }

  static async stopAll(): Promise<void> {
    await Promise.all([...Child.all].map((child) => child.stop()));
  }
}

/**
 * The other end: answers the parent's commands and exits when the parent is gone, however it went.
 * @param close runs before the exit
 */
export function serveParent<Command>(
  answer: (command: Command) => Promise<unknown>,
  close: () => Promise<void> = () => Promise.resolve(),
): void {
  process.on('message', ({ id, command }: { id: number; command: Command }) => {
    answer(command).then(
      (value) => process.connected && process.send!({ id, value }),
      (error: unknown) =>
        process.connected &&
        process.send!({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.once('disconnect', () => {
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
  // These reach the whole group; the parent decides the order of the end.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
}
