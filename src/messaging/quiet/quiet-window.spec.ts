import { minuteOfDay, quietAt } from './quiet-window';

const iso = (at: number) => new Date(at).toISOString();
const hours = (start: string, end: string) => ({ start: minuteOfDay(start), end: minuteOfDay(end) });
const NIGHT = hours('21:00', '08:00');

function verdict(window: { start: number; end: number }, zones: string[], at: string): [boolean, string] {
  const { quiet, until } = quietAt(window, zones, Date.parse(at));
  return [quiet, iso(until)];
}

describe('quietAt', () => {
  it.each([
    ['2026-01-15T19:59:59.999Z', false, '2026-01-15T20:00:00.000Z'],
    ['2026-01-15T20:00:00.000Z', true, '2026-01-16T07:00:00.000Z'],
    ['2026-01-16T06:59:59.999Z', true, '2026-01-16T07:00:00.000Z'],
    ['2026-01-16T07:00:00.000Z', false, '2026-01-16T20:00:00.000Z'],
  ])('over midnight in Rome, at %s: quiet is %s until %s', (at, quiet, until) => {
    expect(verdict(NIGHT, ['Europe/Rome'], at)).toEqual([quiet, until]);
  });

  it.each([
    ['2026-01-15T11:30:00Z', false, '2026-01-15T12:00:00.000Z'],
    ['2026-01-15T12:00:00Z', true, '2026-01-15T13:30:00.000Z'],
    ['2026-01-15T13:30:00Z', false, '2026-01-16T12:00:00.000Z'],
  ])('within one day, at %s: quiet is %s until %s', (at, quiet, until) => {
    expect(verdict(hours('12:00', '13:30'), ['UTC'], at)).toEqual([quiet, until]);
  });

  it('ends by the clock on the wall when summer time begins and ends', () => {
    // 10 hours long in the night to 29 March, 12 in that to 25 October.
    expect(verdict(NIGHT, ['Europe/Rome'], '2026-03-28T20:00:00Z')).toEqual([true, '2026-03-29T06:00:00.000Z']);
    expect(verdict(NIGHT, ['Europe/Rome'], '2026-10-24T19:00:00Z')).toEqual([true, '2026-10-25T07:00:00.000Z']);
    expect(verdict(NIGHT, ['Europe/Rome'], '2026-10-25T19:59:00Z')).toEqual([false, '2026-10-25T20:00:00.000Z']);
  });

  it('does not open again because an hour comes twice, and ends when its own is never shown', () => {
    const small = hours('01:30', '02:30');
    // 02:30 comes at 00:30 Z and again at 01:30 Z.
    expect(verdict(small, ['Europe/Rome'], '2026-10-25T00:29:00Z')).toEqual([true, '2026-10-25T00:30:00.000Z']);
    expect(verdict(small, ['Europe/Rome'], '2026-10-25T01:15:00Z')).toEqual([false, '2026-10-26T00:30:00.000Z']);
    expect(verdict(small, ['Europe/Rome'], '2026-03-29T00:45:00Z')).toEqual([true, '2026-03-29T01:30:00.000Z']);
  });

  it('is quiet as long as it is in one of several zones', () => {
    const zones = ['America/New_York', 'America/Chicago'];
    // 08:00 in New York is 07:00 in Chicago; 21:00 in New York is 20:00 there.
    expect(verdict(NIGHT, zones, '2026-01-15T13:00:00Z')).toEqual([true, '2026-01-15T14:00:00.000Z']);
    expect(verdict(NIGHT, zones, '2026-01-15T14:00:00Z')).toEqual([false, '2026-01-16T02:00:00.000Z']);
    expect(verdict(NIGHT, zones, '2026-01-16T02:00:00Z')).toEqual([true, '2026-01-16T14:00:00.000Z']);
  });

  it('goes by the zone in the middle where no moment is free in all', () => {
    const zones = ['Europe/Kaliningrad', 'Asia/Kamchatka', 'Asia/Omsk'];
    const long = hours('19:00', '10:00');
    expect(verdict(long, zones, '2026-01-15T05:00:00Z')).toEqual([false, '2026-01-15T13:00:00.000Z']);
    expect(verdict(long, zones, '2026-01-15T13:00:00Z')).toEqual([true, '2026-01-16T04:00:00.000Z']);
  });

  it('agrees with a look at the wall’s clock in every zone, at any time but the hours of a change', () => {
    const faults: string[] = [];
    for (const zone of ['Europe/Rome', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Pacific/Apia']) {
      const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' });
      const wall = (at: number) => minuteOfDay(format.format(at));
      for (let at = Date.parse('2026-01-01T00:00:00Z'); at < Date.parse('2027-01-01T00:00:00Z'); at += 7 * 3_607_000) {
        const minute = wall(at);
        const { quiet, until } = quietAt(NIGHT, [zone], at);
        if (quiet !== (minute >= NIGHT.start || minute < NIGHT.end)) faults.push(`${zone} ${iso(at)}`);
        if (wall(until) !== (quiet ? NIGHT.end : NIGHT.start)) faults.push(`${zone} ${iso(at)} until ${iso(until)}`);
      }
    }
    expect(faults).toEqual([]);
  });
});
