import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock';
import { bucketShape, LocalRates } from './gateway-rates';

describe('LocalRates', () => {
  it('never lets more than the limit through in any one second, and nearly all of it in the long run', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0.5, 1, 2.5, 10, 33, 100, 500),
        fc.integer({ min: 1, max: 40 }),
        (perSecond, step) => {
          const clock = new ManualClock(0);
          const rates = new LocalRates(clock);
          const taken: number[] = [];
          const seconds = 10;
          let next = 0;
          while (clock.now() < seconds * 1000) {
            if (clock.now() >= next) {
              let wait = rates.take({ id: 'cfg', perSecond });
              while (wait === 0) {
                taken.push(clock.now());
                wait = rates.take({ id: 'cfg', perSecond });
              }
              next = clock.now() + wait;
            }
            clock.advance(step);
          }
          const most = Math.max(1, perSecond);
          for (let i = 0; i < taken.length; i++) {
            const within = taken.slice(i).filter((at) => at < taken[i]! + 1000).length;
            expect(within).toBeLessThanOrEqual(Math.ceil(most));
          }
          // The clock goes in steps, so what waits comes at most this much later than the one before. A bucket that cannot fill in that time loses
          // nothing; of another one, one token comes each time.
          const { rate, burst } = bucketShape(perSecond);
          const gap = Math.ceil(1000 / rate) + step;
          const keepsAll = (gap * rate) / 1000 + 1 <= burst;
          const least = keepsAll ? rate * seconds - burst : (seconds * 1000) / gap - 1;
          expect(taken.length).toBeGreaterThanOrEqual(Math.floor(least));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('says when to come again', () => {
    const clock = new ManualClock(0);
    const rates = new LocalRates(clock);
    expect(rates.take({ id: 'cfg', perSecond: 2 })).toBe(0);
    expect(rates.take({ id: 'cfg', perSecond: 2 })).toBe(500);
    clock.advance(500);
    expect(rates.take({ id: 'cfg', perSecond: 2 })).toBe(0);
  });

  it('takes a changed limit at once, and none when there is none', () => {
    const clock = new ManualClock(0);
    const rates = new LocalRates(clock);
    rates.take({ id: 'cfg', perSecond: 1 });
    expect(rates.take({ id: 'cfg', perSecond: 1 })).toBe(1000);
    expect(rates.take({ id: 'cfg', perSecond: 2 })).toBe(0);
    for (let i = 0; i < 1000; i++) expect(rates.take({ id: 'cfg', perSecond: null })).toBe(0);
  });

  it('pauses a config, also one without a limit, until the later time', () => {
    const clock = new ManualClock(1_000);
    const rates = new LocalRates(clock);
    rates.pause('cfg', 4_000);
    rates.pause('cfg', 3_000);
    expect(rates.pausedUntil('cfg')).toBe(4_000);
    expect(rates.paused()).toEqual([['cfg', 4_000]]);
    expect(rates.take({ id: 'cfg', perSecond: null })).toBe(3_000);
    expect(rates.take({ id: 'other', perSecond: null })).toBe(0);
    clock.advance(3_000);
    expect(rates.pausedUntil('cfg')).toBe(0);
    expect(rates.paused()).toEqual([]);
    expect(rates.take({ id: 'cfg', perSecond: null })).toBe(0);
  });

  it('says what may be called right now, and takes nothing', () => {
    const clock = new ManualClock(0);
    const rates = new LocalRates(clock);
    const config = { id: 'cfg', perSecond: 60 };
    expect([rates.available(config), rates.available(config)]).toEqual([3, 3]);
    rates.take(config);
    rates.take(config);
    expect(rates.available(config)).toBe(1);
    rates.take(config);
    expect(rates.available(config)).toBe(0);
    clock.advance(1_000);
    expect(rates.available(config)).toBe(3);
    expect(rates.available({ ...config, perSecond: null })).toBeNull();
    rates.pause('cfg', 2_000);
    expect([rates.available(config), rates.available({ ...config, perSecond: null })]).toEqual([0, 0]);
  });
});
