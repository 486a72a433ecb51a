import fc from 'fast-check';
import {
  firstDueAfter,
  hoursOf,
  nextPeriod,
  periodAt,
  periodFrom,
  previousPeriod,
  REPORT_PERIODS,
} from './report-period';

const iso = (at: number) => new Date(at).toISOString();
const daily = (timeZone: string, at = '06:00') => ({ period: 'daily' as const, timeZone, at });
const shown = ({ from, to, due }: { from: number; to: number; due: number }) => [iso(from), iso(to), iso(due)];

describe('periods of a schedule', () => {
  test.each([
    ['Europe/Rome', '2026-03-29T12:00:00Z', 23],
    ['Europe/Rome', '2026-10-25T12:00:00Z', 25],
    ['America/New_York', '2026-03-08T12:00:00Z', 23],
    ['America/New_York', '2026-11-01T12:00:00Z', 25],
    ['America/Santiago', '2026-09-06T12:00:00Z', 23],
    ['America/Santiago', '2026-04-04T12:00:00Z', 25],
    ['Africa/Cairo', '2026-04-24T12:00:00Z', 23],
    ['Africa/Cairo', '2026-10-29T12:00:00Z', 25],
    ['Asia/Kathmandu', '2026-03-29T12:00:00Z', 24],
    ['Australia/Lord_Howe', '2026-10-03T20:00:00Z', 23.5],
  ])('a day in %s that holds %s has its hours', (zone, at, hours) => {
    expect(hoursOf(periodAt(daily(zone), Date.parse(at)))).toBe(hours);
  });

  test('a day of 24 hours, one of 23 and the next are reported at the same local time', () => {
    const day = periodAt(daily('Europe/Rome'), Date.parse('2026-03-28T12:00:00Z'));
    const short = nextPeriod(daily('Europe/Rome'), day);
    expect([day, short, nextPeriod(daily('Europe/Rome'), short)].map(shown)).toEqual([
      ['2026-03-27T23:00:00.000Z', '2026-03-28T23:00:00.000Z', '2026-03-29T04:00:00.000Z'],
      ['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z', '2026-03-30T04:00:00.000Z'],
      ['2026-03-29T22:00:00.000Z', '2026-03-30T22:00:00.000Z', '2026-03-31T04:00:00.000Z'],
    ]);
  });

  test.each([
    // Never shown that day, and shown twice.
    ['Europe/Rome', '02:30', '2026-03-28T12:00:00Z', '2026-03-29T01:30:00.000Z'],
    ['Europe/Rome', '02:30', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00.000Z'],
    // Midnight that there is not: not before the period ends.
    ['America/Santiago', '00:00', '2026-09-05T12:00:00Z', '2026-09-06T04:05:00.000Z'],
    ['America/Santiago', '00:30', '2026-09-05T12:00:00Z', '2026-09-06T04:30:00.000Z'],
    ['Africa/Cairo', '23:30', '2026-10-28T12:00:00Z', '2026-10-29T20:30:00.000Z'],
  ])('in %s the report of %s is due once although clocks change', (zone, at, within, due) => {
    expect(iso(periodAt(daily(zone, at), Date.parse(within)).due)).toBe(due);
  });

  test('weeks begin on Monday', () => {
    const weekly = { period: 'weekly' as const, timeZone: 'Europe/Rome', at: '07:15' };
    for (const within of ['2026-03-22T23:00:00Z', '2026-03-29T21:59:59.999Z'])
      expect(shown(periodAt(weekly, Date.parse(within)))).toEqual([
        '2026-03-22T23:00:00.000Z',
        '2026-03-29T22:00:00.000Z',
        '2026-03-30T05:15:00.000Z',
      ]);
    expect(hoursOf(periodAt(weekly, Date.parse('2026-03-25T00:00:00Z')))).toBe(167);
  });

  test.each([
    ['2028-02-10T00:00:00Z', '2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z', 29 * 24],
    ['2026-02-28T23:59:59Z', '2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z', 28 * 24],
    ['2100-02-01T00:00:00Z', '2100-02-01T00:00:00.000Z', '2100-03-01T00:00:00.000Z', 28 * 24],
    ['2026-12-31T23:00:00Z', '2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z', 31 * 24],
  ])('the month of %s has its days', (within, from, to, hours) => {
    const monthly = { period: 'monthly' as const, timeZone: 'UTC', at: '00:00' };
    const period = periodAt(monthly, Date.parse(within));
    expect(shown(period)).toEqual([from, to, to.replace('00:00.000Z', '05:00.000Z')]);
    expect(hoursOf(period)).toBe(hours);
  });

  test('a schedule begins with the report that is due next', () => {
    const evening = daily('Europe/Rome', '18:00');
    // In the morning: today's report is still to come, and is of yesterday.
    expect(iso(firstDueAfter(evening, Date.parse('2026-05-05T08:00:00Z')).from)).toBe('2026-05-03T22:00:00.000Z');
    expect(iso(firstDueAfter(evening, Date.parse('2026-05-05T16:00:00Z')).from)).toBe('2026-05-04T22:00:00.000Z');
  });

  test('one begins where the one before it ended, also when the rules of the zone have changed', () => {
    const rome = daily('Europe/Rome');
    const day = periodAt(rome, Date.parse('2026-05-05T12:00:00Z'));
    expect(periodFrom(rome, day.from)).toEqual(day);
    for (const moved of [-3_600_000, 3_600_000])
      expect(periodFrom(rome, day.from + moved)).toEqual({ ...day, from: day.from + moved });
  });

  test('they tile time without gap or overlap, each due once and in order, in every zone', () => {
    const zones = Intl.supportedValuesOf('timeZone');
    const minute = fc.integer({ min: 0, max: 1439 });
    const at = minute.map((of) => new Date(of * 60_000).toISOString().slice(11, 16));
    fc.assert(
      fc.property(
        fc.record({ period: fc.constantFrom(...REPORT_PERIODS), timeZone: fc.constantFrom(...zones), at }),
        fc.integer({ min: Date.UTC(2012, 0, 2), max: Date.UTC(2060, 0, 1) }),
        (timetable, instant) => {
          let period = periodAt(timetable, instant);
          expect(period.from).toBeLessThanOrEqual(instant);
          expect(period.to).toBeGreaterThan(instant);
          for (let step = 0; step < 4; step++) {
            expect(periodAt(timetable, period.from)).toEqual(period);
            expect(periodAt(timetable, period.to - 1)).toEqual(period);
            expect(periodFrom(timetable, period.from)).toEqual(period);
            const next = nextPeriod(timetable, period);
            expect(next.from).toBe(period.to);
            expect(next.to).toBeGreaterThan(next.from);
            expect(next.due).toBeGreaterThan(period.due);
            expect(next.due).toBeGreaterThanOrEqual(next.to);
            expect(previousPeriod(timetable, next)).toEqual(period);
            period = next;
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});
