import fc from 'fast-check';
import { addDays, dayAt, instantAt, isTimeZone, offsetAt, startOfDay } from './time-zone';

const iso = (at: number) => new Date(at).toISOString();
const day = (text: string) => {
  const [year, month, date] = text.split('-').map(Number);
  return { year: year!, month: month!, day: date! };
};

describe('time zones', () => {
  test.each(['Europe/Rome', 'UTC', 'Etc/GMT+5', 'America/Argentina/Buenos_Aires', 'Asia/Kathmandu', 'europe/rome'])(
    'takes %s',
    (name) => expect(isTimeZone(name)).toBe(true),
  );

  test.each([
    '',
    'Mars/Olympus',
    '+02:00',
    '-05',
    'Europe/Rome ',
    'Europe/Rome\0',
    'Europe/R\u00f6me',
    'x'.repeat(5000),
  ])('refuses %j', (name) => expect(isTimeZone(name)).toBe(false));

  test.each([
    // An ordinary day.
    ['Europe/Rome', '2026-01-15', 630, '2026-01-15T09:30:00.000Z'],
    // Clocks go from 02:00 to 03:00: 02:30 is never shown.
    ['Europe/Rome', '2026-03-29', 150, '2026-03-29T01:30:00.000Z'],
    ['Europe/Rome', '2026-03-29', 180, '2026-03-29T01:00:00.000Z'],
    // They go from 03:00 to 02:00: 02:30 is shown twice.
    ['Europe/Rome', '2026-10-25', 150, '2026-10-25T00:30:00.000Z'],
    ['America/New_York', '2026-03-08', 150, '2026-03-08T07:30:00.000Z'],
    ['America/New_York', '2026-11-01', 90, '2026-11-01T05:30:00.000Z'],
    ['Asia/Kathmandu', '2026-03-29', 0, '2026-03-28T18:15:00.000Z'],
    ['Australia/Lord_Howe', '2026-10-04', 135, '2026-10-03T15:45:00.000Z'],
  ])('knows when clocks in %s show minute %s of a day', (zone, date, minute, instant) => {
    expect(iso(instantAt(zone, day(date), minute))).toBe(instant);
  });

  test.each([
    ['Europe/Rome', '2026-03-29', '2026-03-28T23:00:00.000Z', 23],
    ['Europe/Rome', '2026-10-25', '2026-10-24T22:00:00.000Z', 25],
    // At midnight clocks go to 01:00, so the day begins at 01:00; the day before one with two evenings has 25 hours.
    ['America/Santiago', '2026-09-06', '2026-09-06T04:00:00.000Z', 23],
    ['America/Santiago', '2026-04-04', '2026-04-04T03:00:00.000Z', 25],
    ['Africa/Cairo', '2026-04-24', '2026-04-23T22:00:00.000Z', 23],
    ['Africa/Cairo', '2026-10-29', '2026-10-28T21:00:00.000Z', 25],
    // 23:30 to 00:30: the jump is over midnight.
    ['America/Toronto', '1919-03-31', '1919-03-31T04:30:00.000Z', 23.5],
    ['America/Nuuk', '2026-03-28', '2026-03-28T02:00:00.000Z', 23],
    ['Australia/Lord_Howe', '2026-10-04', '2026-10-03T13:30:00.000Z', 23.5],
    // The day that Samoa left out.
    ['Pacific/Apia', '2011-12-30', '2011-12-30T10:00:00.000Z', 0],
  ])('knows when a day begins in %s', (zone, date, start, hours) => {
    const from = startOfDay(zone, day(date));
    expect(iso(from)).toBe(start);
    expect((startOfDay(zone, addDays(day(date), 1)) - from) / 3_600_000).toBe(hours);
  });

  test('a day begins with an instant that shows it, and no earlier one does, in every zone', () => {
    const zones = Intl.supportedValuesOf('timeZone');
    const from = Date.UTC(2012, 0, 2);
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.integer({ min: 0, max: 40 * 366 }), (zone, days) => {
        const date = dayAt('UTC', from + days * 86_400_000);
        const start = startOfDay(zone, date);
        expect(dayAt(zone, start)).toEqual(date);
        const earlier = start - 1 + offsetAt(zone, start - 1);
        expect(earlier).toBeLessThan(Date.UTC(date.year, date.month - 1, date.day));
      }),
      { numRuns: 700 },
    );
  });
});
