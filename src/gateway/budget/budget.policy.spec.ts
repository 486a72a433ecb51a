import fc from 'fast-check';
import {
  BURN_RULES,
  FIRST_DWELL_MS,
  LONGEST_DWELL_MS,
  STEPS,
  burnRate,
  drawOf,
  judge,
  orderByBudget,
  type Degraded,
  type Outcomes,
  type Windows,
} from './budget.policy';

const EXPECTED = { objective: 0.95, usuallyUndelivered: 0.1 };
const NONE: Outcomes = { calls: 0, faults: 0, reports: 0, undelivered: 0 };
const calls = (count: number, faults: number): Outcomes => ({ ...NONE, calls: count, faults });
const reports = (count: number, undelivered: number): Outcomes => ({ ...NONE, reports: count, undelivered });
const windows = (lastMinute: Outcomes, last5Minutes: Outcomes, lastHour = last5Minutes): Windows => ({
  lastMinute,
  last5Minutes,
  lastHour,
});
const QUIET = windows(NONE, NONE);
const BURNING = windows(calls(20, 20), calls(100, 100));

const someOutcomes = fc
  .record({ calls: fc.nat(500), bad: fc.nat(500), reports: fc.nat(500), lost: fc.nat(500) })
  .map((one) => ({
    calls: one.calls,
    faults: Math.min(one.calls, one.bad),
    reports: one.reports,
    undelivered: Math.min(one.reports, one.lost),
  }));
const someWindows = fc.record({ lastMinute: someOutcomes, last5Minutes: someOutcomes, lastHour: someOutcomes });

describe('the rule of error budgets', () => {
  test.each([
    [
      '30 % of the calls of 5 minutes fail, and still do',
      windows(calls(20, 6), calls(100, 30), calls(2_000, 30)),
      true,
    ],
    ['a little less', windows(calls(20, 6), calls(100, 29), calls(2_000, 29)), false],
    ['they failed, and do no more', windows(calls(20, 0), calls(100, 40), calls(2_000, 40)), false],
    ['10 % of the calls of an hour fail, and still do', windows(NONE, calls(20, 2), calls(500, 50)), true],
    ['a gateway is down and few messages come', windows(calls(4, 4), calls(19, 19)), false],
    ['messages do not arrive as usual', windows(reports(20, 2), reports(100, 10)), false],
    ['40 % of the messages do not arrive', windows(reports(20, 8), reports(100, 40)), true],
  ])('when %s', (_, seen, loses) => {
    expect(judge(null, seen, EXPECTED, 0) !== null).toBe(loses);
  });

  test('a stricter objective burns faster', () => {
    expect(burnRate(calls(100, 2), { ...EXPECTED, objective: 0.99 }, 20)).toBeCloseTo(2);
    expect(burnRate(calls(100, 2), { ...EXPECTED, objective: 0.95 }, 20)).toBeCloseTo(0.4);
  });

  test('it returns a step at a time, and a relapse makes that slower', () => {
    let state = judge(null, BURNING, EXPECTED, 0);
    const weights: number[] = [];
    for (let now = 0; state !== null; now += 60_000) {
      weights.push(STEPS[state.step]!);
      state = judge(state, QUIET, EXPECTED, now);
    }
    expect(weights.length).toBe((3 * FIRST_DWELL_MS) / 60_000 + 1);
    expect([...new Set(weights)]).toEqual([0.05, 0.25, 0.5]);
    const half = { step: 2, burnRate: 0, since: 0, stepSince: 0, dwellMs: FIRST_DWELL_MS };
    expect(judge(half, BURNING, EXPECTED, 1_000)).toMatchObject({
      step: 0,
      stepSince: 1_000,
      dwellMs: 2 * FIRST_DWELL_MS,
    });
    // What few messages say keeps it from going on, and does not throw it back.
    const stillBad = windows(calls(1, 1), calls(3, 2));
    expect(judge(half, stillBad, EXPECTED, 60 * 60_000)).toMatchObject({ step: 2, stepSince: 0 });
  });

  test('whatever happened, without further trouble the weight only grows, and is full in bounded time', () => {
    const history = fc.array(fc.tuple(someWindows, fc.integer({ min: 1_000, max: 600_000 })), { maxLength: 40 });
    fc.assert(
      fc.property(history, (events) => {
        let now = 0;
        let state: Degraded | null = null;
        for (const [seen, wait] of events) {
          now += wait;
          state = judge(state, seen, EXPECTED, now);
        }
        const calmSince = now;
        let weight = state === null ? 1 : STEPS[state.step]!;
        while (state !== null) {
          now += 30_000;
          state = judge(state, QUIET, EXPECTED, now);
          const next: number = state === null ? 1 : STEPS[state.step]!;
          expect(next).toBeGreaterThanOrEqual(weight);
          weight = next;
        }
        expect(now - calmSince).toBeLessThanOrEqual(STEPS.length * (LONGEST_DWELL_MS + 30_000));
      }),
    );
  });

  test('a gateway loses its place only by a rule that both of its windows meet', () => {
    fc.assert(
      fc.property(someWindows, (seen) => {
        const met = BURN_RULES.some(
          ({ long, short, burnRate: fast }) =>
            burnRate(seen[long], EXPECTED, 20) >= fast && burnRate(seen[short], EXPECTED, 5) >= fast,
        );
        expect(judge(null, seen, EXPECTED, 0) !== null).toBe(met);
      }),
    );
  });
});

describe('the order of gateways', () => {
  const route = fc.uniqueArray(
    fc.record({ id: fc.nat(1_000), weight: fc.option(fc.constantFrom<number>(...STEPS), { nil: undefined }) }),
    { selector: ({ id }) => id, maxLength: 6 },
  );
  const order = (gateways: Array<{ id: number; weight: number | undefined }>, message: string | null) =>
    orderByBudget(gateways, ({ weight }) => weight, message === null ? null : ({ id }) => drawOf(message, `cfg_${id}`));

  test('keeps every gateway, and each kind in its own order', () => {
    fc.assert(
      fc.property(route, fc.option(fc.string()), (gateways, message) => {
        const ordered = order(gateways, message);
        expect(ordered.toSorted((a, b) => a.id - b.id)).toEqual(gateways.toSorted((a, b) => a.id - b.id));
        const healthy = (list: typeof gateways) => list.filter(({ weight }) => weight === undefined);
        expect(healthy(ordered)).toEqual(healthy(gateways));
      }),
    );
  });

  test('stands when all are degraded together, or none', () => {
    fc.assert(
      fc.property(route, fc.string(), fc.constantFrom(...STEPS, undefined), (gateways, message, weight) => {
        const alike = gateways.map(({ id }) => ({ id, weight }));
        expect(order(alike, message)).toEqual(alike);
      }),
    );
  });

  test('is the same each time that a message asks, and lets its share of messages test the gateway', () => {
    const gateways = [
      { id: 1, weight: 0.05 },
      { id: 2, weight: undefined },
    ];
    const first = Array.from({ length: 20_000 }, (_, index) => order(gateways, `msg_${index}`)[0]!.id);
    const share = first.filter((id) => id === 1).length / first.length;
    expect(share).toBeGreaterThan(0.04);
    expect(share).toBeLessThan(0.06);
    expect(order(gateways, 'msg_7')).toEqual(order(gateways, 'msg_7'));
    expect(order(gateways, null).map(({ id }) => id)).toEqual([2, 1]);
    // A message that tests it at a small share does at a larger one too.
    fc.assert(
      fc.property(fc.string(), (message) => {
        const places = STEPS.map((weight) => order([{ id: 1, weight }, gateways[1]!], message)[0]!.id);
        expect(places.join('')).toMatch(/^2*1*$/);
      }),
    );
  });
});
