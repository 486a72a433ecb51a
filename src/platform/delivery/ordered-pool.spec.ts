import fc from 'fast-check';
import { OrderedPool } from './ordered-pool';

/** Tasks that end when they are told to. */
class Manual {
  readonly begun: string[] = [];
  private readonly ends = new Map<string, () => void>();

  task(name: string): () => Promise<void> {
    return () => {
      this.begun.push(name);
      return new Promise((resolve) => this.ends.set(name, resolve));
    };
  }

  async end(name: string): Promise<void> {
    this.ends.get(name)!();
    this.ends.delete(name);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('OrderedPool', () => {
  it('runs at most as many as the limit, which may change', async () => {
    let limit = 2;
    const tasks = new Manual();
    const pool = new OrderedPool(() => limit);
    for (const name of ['a', 'b', 'c', 'd', 'e']) pool.add(null, tasks.task(name));
    expect(tasks.begun).toEqual(['a', 'b']);
    limit = 1;
    await tasks.end('a');
    expect(tasks.begun).toEqual(['a', 'b']);
    await tasks.end('b');
    expect(tasks.begun).toEqual(['a', 'b', 'c']);
    limit = 3;
    await tasks.end('c');
    expect(tasks.begun).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('runs tasks of one key one after another, and others past them', async () => {
    const tasks = new Manual();
    const pool = new OrderedPool(() => 10);
    pool.add('k', tasks.task('k1'));
    pool.add('k', tasks.task('k2'));
    pool.add('l', tasks.task('l1'));
    expect(tasks.begun).toEqual(['k1', 'l1']);
    await tasks.end('k1');
    expect(tasks.begun).toEqual(['k1', 'l1', 'k2']);
    await tasks.end('k2');
    pool.add('k', tasks.task('k3'));
    expect(tasks.begun).toEqual(['k1', 'l1', 'k2', 'k3']);
  });

  it('says when it has room', async () => {
    const tasks = new Manual();
    const pool = new OrderedPool(() => 1);
    pool.add(null, tasks.task('a'));
    await pool.hasRoom();
    pool.add(null, tasks.task('b'));
    let room = false;
    const waiting = pool.hasRoom().then(() => (room = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(room).toBe(false);
    await tasks.end('a');
    await waiting;
    expect(tasks.begun).toEqual(['a', 'b']);
  });

  it('goes on when a task rejects', async () => {
    const tasks = new Manual();
    const pool = new OrderedPool(() => 1);
    pool.add('k', () => Promise.reject(new Error('a bug')));
    pool.add('k', tasks.task('k2'));
    pool.add(null, tasks.task('other'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(tasks.begun).toEqual(['other']);
    await tasks.end('other');
    expect(tasks.begun).toEqual(['other', 'k2']);
  });

  it('keeps the order of every key and the cap, whatever is added', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.constantFrom('a', 'b', 'c')), { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        async (keys, limit) => {
          const pool = new OrderedPool(() => limit);
          const order = new Map<string, number[]>();
          const open = new Set<string>();
          let running = 0;
          let over = 0;
          await new Promise<void>((resolve) => {
            if (keys.length === 0) resolve();
            keys.forEach((key, index) =>
              pool.add(key, async () => {
                running++;
                expect(running).toBeLessThanOrEqual(limit);
                if (key !== null) {
                  expect(open.has(key)).toBe(false);
                  open.add(key);
                  order.set(key, [...(order.get(key) ?? []), index]);
                }
                await new Promise((done) => setImmediate(done));
                running--;
                if (key !== null) open.delete(key);
                if (++over === keys.length) resolve();
              }),
            );
          });
          for (const indexes of order.values()) expect(indexes).toEqual([...indexes].sort((one, other) => one - other));
        },
      ),
      { numRuns: 50 },
    );
  });
});
