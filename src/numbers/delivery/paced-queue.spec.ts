import { PacedQueue, type Pace } from './paced-queue';

const PACE: Pace = { most: 4, inOrder: 3, perWaiting: 2, patienceMs: 20 };

describe('PacedQueue', () => {
  let started: number[];
  let ends: Map<number, () => void>;
  let over: number;

  const queue = (pace: Partial<Pace> = {}) =>
    new PacedQueue<number>(
      { ...PACE, ...pace },
      (item) => {
        started.push(item);
        return new Promise((resolve) => ends.set(item, resolve));
      },
      () => over++,
    );
  const end = async (item: number): Promise<void> => {
    ends.get(item)!();
    await new Promise((resolve) => setImmediate(resolve));
  };

  beforeEach(() => {
    started = [];
    ends = new Map();
    over = 0;
  });

  it('runs a few one after another', async () => {
    const own = queue({ patienceMs: 60_000 });
    own.add([1, 2, 3]);
    expect([started, own.size, own.running]).toEqual([[1], 2, 1]);
    await end(1);
    await end(2);
    expect(started).toEqual([1, 2, 3]);
    await end(3);
    expect([own.size, own.running, over]).toEqual([0, 0, 3]);
  });

  it('runs several of a backlog, in the order of their coming and never more than it may', async () => {
    const own = queue({ patienceMs: 60_000 });
    own.add(Array.from({ length: 16 }, (_, index) => index + 1));
    expect(started).toEqual([1, 2, 3, 4]);
    for (const item of [3, 1, 2, 4]) await end(item);
    expect(started).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    // Six wait for half as many, and what is left goes one by one.
    for (const item of [5, 6, 7, 8]) await end(item);
    expect(started.slice(8)).toEqual([9, 10, 11]);
    for (const item of [9, 10, 11]) await end(item);
    expect(started.slice(11)).toEqual([12, 13]);
    for (const item of [12, 13]) await end(item);
    expect(started.slice(13)).toEqual([14]);
  });

  it('waits for a slow one no longer than its patience, and has no more of them than it may', async () => {
    const own = queue();
    own.add([1, 2, 3]);
    own.add([4, 5, 6]);
    while (own.running < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(started).toEqual([1, 2, 3, 4]);
    await end(2);
    expect(started).toEqual([1, 2, 3, 4, 5]);
    for (const item of [1, 3, 4, 5, 6]) await end(item);
    expect(own.running).toBe(0);
  });

  it('forgets what was not started', async () => {
    const own = queue({ patienceMs: 60_000 });
    own.add([1, 2]);
    own.clear();
    await end(1);
    expect([started, own.size, own.running]).toEqual([[1], 0, 0]);
    own.add([3]);
    expect(started).toEqual([1, 3]);
    await end(3);
  });
});
