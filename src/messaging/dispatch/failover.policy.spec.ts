import fc from 'fast-check';
import { ERROR_CLASSES } from '../../gateway/contracts/gateway-error';
import { FAILOVER_POLICY, retryDelayMs } from './failover.policy';

describe('failover policy', () => {
  // The table of the contract, row by row.
  it.each([
    ['recipient_permanent', 'fail', 'recipient_permanent', false, false, false],
    ['content_permanent', 'fail', 'content_permanent', false, false, false],
    ['config', 'next_gateway', 'config', true, false, true],
    ['throttled', 'pause', 'throttled', false, false, null],
    ['transient', 'next_gateway', 'transient', false, true, true],
    ['ambiguous', 'reconcile', 'unknown', false, true, true],
  ] as const)('%s: %s', (errorClass, then, outcome, disablesConfig, tripsCircuit, burnsBudget) => {
    expect(FAILOVER_POLICY[errorClass]).toEqual({ then, outcome, disablesConfig, tripsCircuit, burnsBudget });
  });

  it('has a row for every class', () => {
    expect(Object.keys(FAILOVER_POLICY).sort()).toEqual([...ERROR_CLASSES].sort());
  });

  it('waits longer from round to round, jittered, and never longer than about five minutes', () => {
    const middle = Array.from({ length: 8 }, (_, index) => retryDelayMs(index + 1, 0.5));
    expect(middle).toEqual([2_000, 6_000, 18_000, 54_000, 162_000, 300_000, 300_000, 300_000]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (round, random) => {
        const base = retryDelayMs(round, 0.5);
        expect(retryDelayMs(round, random)).toBeGreaterThanOrEqual(base * 0.75 - 1);
        expect(retryDelayMs(round, random)).toBeLessThanOrEqual(base * 1.25 + 1);
      }),
    );
  });
});
