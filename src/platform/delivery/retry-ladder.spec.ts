import fc from 'fast-check';
import { retryDelay } from './retry-ladder';

describe('retryDelay', () => {
  const ladder = { delaysMs: [5000, 30_000], jitter: 0.2 };

  it('climbs step by step and ends', () => {
    expect([1, 2, 3].map((failures) => retryDelay(ladder, failures, 0.5))).toEqual([5000, 30_000, null]);
  });

  it('stays within the jitter and uses all of it', () => {
    expect([retryDelay(ladder, 1, 0), retryDelay(ladder, 1, 1)]).toEqual([4000, 6000]);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (random) => {
        const delay = retryDelay(ladder, 2, random)!;
        expect(delay).toBeGreaterThanOrEqual(24_000);
        expect(delay).toBeLessThanOrEqual(36_000);
      }),
    );
  });
});
