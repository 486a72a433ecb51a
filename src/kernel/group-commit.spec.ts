import { GroupCommit } from './group-commit';

/** A flush that the spec ends by hand. */
function gate() {
  const batches: Array<{
    items: number[];
    end: (results?: Array<number | Error>) => void;
    fail: (error: Error) => void;
  }> = [];
  let arrived = () => {};
  const flush = (items: number[]) =>
    new Promise<Array<number | Error>>((resolve, reject) => {
      batches.push({ items, end: (results) => resolve(results ?? items.map((item) => item * 10)), fail: reject });
      arrived();
    });
  const next = async (count: number) => {
    while (batches.length < count) await new Promise<void>((resolve) => (arrived = resolve));
    return batches[count - 1]!;
  };
  return { flush, batches, next };
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

describe('GroupCommit', () => {
  it('flushes together what comes while a flush is in flight, and answers each item', async () => {
    const { flush, batches, next } = gate();
    const commits = new GroupCommit<number, number>(flush, 100);
    const first = commits.add(1);
    (await next(1)).end();
    expect(await first).toBe(10);
    const alone = commits.add(2);
    await next(2);
    const together = [3, 4, 5].map((item) => commits.add(item));
    batches[1]!.end();
    (await next(3)).end();
    expect(await Promise.all([alone, ...together])).toEqual([20, 30, 40, 50]);
    expect(batches.map(({ items }) => items)).toEqual([[1], [2], [3, 4, 5]]);
  });

  it('rejects one item for an Error among the results, and all of a batch when the flush fails', async () => {
    const { flush, next } = gate();
    const commits = new GroupCommit<number, number>(flush, 100);
    const [good, bad] = [commits.add(1), commits.add(2)];
    (await next(1)).end([1, new Error('refused')]);
    expect(await good).toBe(1);
    await expect(bad).rejects.toThrow('refused');
    const lost = [commits.add(3), commits.add(4)];
    (await next(2)).fail(new Error('away'));
    expect((await Promise.allSettled(lost)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('takes no more than its bounds', async () => {
    const { flush, batches, next } = gate();
    const commits = new GroupCommit<number, number>(flush, 2, 0, 1, 3, () => new Error('full'));
    const taken = numbers(3).map((item) => commits.add(item));
    await expect(commits.add(9)).rejects.toThrow('full');
    (await next(1)).end();
    (await next(2)).end();
    await Promise.all(taken);
    expect(batches.map(({ items }) => items.length)).toEqual([2, 1]);
  });

  it('takes less together where items are heavy, and one that is too heavy alone', async () => {
    const { flush, batches, next } = gate();
    const weigh = { of: (item: number) => item, most: 5 };
    const commits = new GroupCommit<number, number>(flush, 100, 0, 1, 100, undefined, weigh);
    const all = [2, 3, 1, 9, 4].map((item) => commits.add(item));
    for (const n of [1, 2, 3, 4]) (await next(n)).end();
    await Promise.all(all);
    expect(batches.map(({ items }) => items)).toEqual([[2, 3], [1], [9], [4]]);
  });

  it('begins a further flush beside the one in flight only with items enough', async () => {
    const { flush, batches, next } = gate();
    const commits = new GroupCommit<number, number>(flush, 1_000, 0, 2);
    const all = [commits.add(0)];
    await next(1);
    all.push(...numbers(47, 1).map((item) => commits.add(item)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(batches).toHaveLength(1);
    all.push(commits.add(48));
    expect((await next(2)).items).toHaveLength(48);
    all.push(...numbers(60, 49).map((item) => commits.add(item)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(batches).toHaveLength(2);
    for (const batch of batches) batch.end();
    (await next(3)).end();
    expect(await Promise.all(all)).toHaveLength(109);
    await commits.drain();
  });

  it('drains: resolves when nothing waits and nothing is in flight', async () => {
    const { flush, next } = gate();
    const commits = new GroupCommit<number, number>(flush, 100);
    await commits.drain();
    const item = commits.add(1);
    let drained = false;
    const drain = commits.drain().then(() => (drained = true));
    const batch = await next(1);
    expect(drained).toBe(false);
    batch.end();
    await Promise.all([item, drain]);
    expect(drained).toBe(true);
  });
});
