import { BoundedLookup, type Resolve } from './bounded-lookup';

const FOUND = [{ address: '8.8.8.8', family: 4 }];

describe('BoundedLookup', () => {
  /** Names that are being looked up, in their order, and how to end each. */
  let asked: Array<{ name: string; end: () => void }>;
  const hanging: Resolve = (name) => new Promise((resolve) => asked.push({ name, end: () => resolve(FOUND) }));
  const names = () => asked.map(({ name }) => name);

  beforeEach(() => (asked = []));

  it('takes four names at a time, the others in their turn, and each once', async () => {
    const { resolve } = new BoundedLookup(hanging);
    const all = ['a', 'b', 'c', 'd', 'e', 'f', 'a', 'e'].map((name) => resolve(name));
    await Promise.resolve();
    expect(names()).toEqual(['a', 'b', 'c', 'd']);
    asked[1]!.end();
    await all[1];
    await new Promise(setImmediate);
    expect(names()).toEqual(['a', 'b', 'c', 'd', 'e']);
    for (let n = 0; n < 6; n++) {
      asked[n]?.end();
      await new Promise(setImmediate);
    }
    expect(await Promise.all(all)).toEqual(all.map(() => FOUND));
    expect(names()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    const again = resolve('a');
    await new Promise(setImmediate);
    expect(names().at(-1)).toBe('a');
    asked.at(-1)!.end();
    expect(await again).toEqual(FOUND);
  });

  it('lets a look-up fail that waits too long, and goes on after failures', async () => {
    jest.useFakeTimers();
    try {
      const { resolve } = new BoundedLookup(hanging);
      for (const name of ['a', 'b', 'c', 'd']) void resolve(name);
      const late = resolve('e').catch((error: unknown) => error);
      await jest.advanceTimersByTimeAsync(5_000);
      expect(await late).toMatchObject({ code: 'EAI_AGAIN' });
      asked[0]!.end();
      const next = resolve('f');
      await jest.advanceTimersByTimeAsync(0);
      expect(names().at(-1)).toBe('f');
      asked.at(-1)!.end();
      expect(await next).toEqual(FOUND);
    } finally {
      jest.useRealTimers();
    }
  });
});
