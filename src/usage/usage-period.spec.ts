import { grainRanges, stretches, type TimeGroup } from './usage-period';

const at = (text: string): number => Date.parse(text);
const cut = (from: string, to: string, group: TimeGroup, zone: string) =>
  stretches({ from: at(from), to: at(to) }, group, zone).map((part) => [part.name, (part.to - part.from) / 3_600_000]);

describe('periods of usage', () => {
  it('gives the days of the change of clocks 23 and 25 hours', () => {
    expect(cut('2026-03-27T23:00:00Z', '2026-03-30T22:00:00Z', 'day', 'Europe/Rome')).toEqual([
      ['2026-03-28', 24],
      ['2026-03-29', 23],
      ['2026-03-30', 24],
    ]);
    expect(cut('2026-10-24T10:00:00Z', '2026-10-26T05:00:00Z', 'day', 'Europe/Rome')).toEqual([
      ['2026-10-24', 12],
      ['2026-10-25', 25],
      ['2026-10-26', 6],
    ]);
  });

  it('goes on where clocks go over midnight, and over a day that was left out', () => {
    // In Santiago the fifth of April begins after two evenings; a look that begins in the second one begins with the fourth.
    expect(cut('2026-04-05T03:30:00Z', '2026-04-06T12:00:00Z', 'day', 'America/Santiago')).toEqual([
      ['2026-04-04', 0.5],
      ['2026-04-05', 24],
      ['2026-04-06', 8],
    ]);
    expect(cut('2026-09-05T04:00:00Z', '2026-09-07T03:00:00Z', 'day', 'America/Santiago')).toEqual([
      ['2026-09-05', 24],
      ['2026-09-06', 23],
    ]);
    expect(cut('2011-12-29T10:00:00Z', '2012-01-01T10:00:00Z', 'day', 'Pacific/Apia')).toEqual([
      ['2011-12-29', 24],
      ['2011-12-31', 24],
      ['2012-01-01', 24],
    ]);
  });

  it('tells an hour that comes twice apart, and cuts where local hours begin', () => {
    expect(cut('2026-10-25T00:00:00Z', '2026-10-25T03:00:00Z', 'hour', 'Europe/Rome')).toEqual([
      ['2026-10-25T02:00+02:00', 1],
      ['2026-10-25T02:00+01:00', 1],
      ['2026-10-25T03:00+01:00', 1],
    ]);
    expect(cut('2026-01-01T00:00:00Z', '2026-01-01T01:30:00Z', 'hour', 'Asia/Kathmandu')).toEqual([
      ['2026-01-01T05:00+05:45', 0.25],
      ['2026-01-01T06:00+05:45', 1],
      ['2026-01-01T07:00+05:45', 0.25],
    ]);
  });

  it('names months, and starts a year with them', () => {
    const months = cut('2025-12-31T23:00:00Z', '2026-12-31T23:00:00Z', 'month', 'Europe/Rome');
    expect(months).toHaveLength(12);
    expect(months.slice(0, 3)).toEqual([
      ['2026-01', 744],
      ['2026-02', 672],
      ['2026-03', 743],
    ]);
  });

  it.each(Intl.supportedValuesOf('timeZone').filter((_, n) => n % 45 === 0))(
    'cuts two years in %s without a gap, and covers each part exactly',
    (zone) => {
      const period = { from: at('2025-01-15T00:15:00Z'), to: at('2027-01-15T00:00:00Z') };
      for (const group of ['day', 'month'] as const) {
        const parts = stretches(period, group, zone);
        expect(parts[0]!.from).toBe(period.from);
        expect(parts.at(-1)!.to).toBe(period.to);
        parts.slice(1).forEach((part, n) => expect(part.from).toBe(parts[n]!.to));
        const local = new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' });
        const length = group === 'day' ? 10 : 7;
        expect(parts.map(({ name }) => name)).toEqual(parts.map(({ from }) => local.format(from).slice(0, length)));
        for (const part of parts) {
          const ranges = grainRanges([part]);
          expect(ranges[0]!.from).toBe(part.from);
          expect(ranges.at(-1)!.to).toBe(part.to);
          for (const { grain, from, to } of ranges)
            expect([from % (grain * 60_000), to % (grain * 60_000)]).toEqual([0, 0]);
        }
      }
    },
  );
});
