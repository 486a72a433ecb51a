import { getAllTimezones } from 'countries-and-timezones';
import metadata from 'libphonenumber-js/metadata.max.json';
import { isTimeZone } from '../../kernel/time-zone';
import { areaCodeZones } from './area-code-zones';
import { zonesOfNumber } from './number-zones';

describe('zonesOfNumber', () => {
  it.each([
    ['+393331234567', ['Europe/Rome']],
    // As the time zone database has it: the same clocks since 1980.
    ['+46701234567', ['Europe/Berlin']],
    ['+12125550123', ['America/New_York']],
    ['+13125550123', ['America/Chicago']],
    ['+14155550123', ['America/Los_Angeles']],
    ['+18085550123', ['Pacific/Honolulu']],
    ['+12705550123', ['America/New_York', 'America/Chicago']],
    ['+14165550123', ['America/Toronto']],
    ['+18765550123', ['America/Jamaica']],
    ['+919812345678', ['Asia/Kolkata']],
    ['+383431234567', ['Europe/Belgrade']],
  ])('%s lives by %j', (number, zones) => {
    const canonical = getAllTimezones();
    const plain = (names: readonly string[] | undefined) =>
      names?.map((name) => (canonical as Record<string, { aliasOf?: string | null }>)[name]?.aliasOf ?? name).sort();
    expect(plain(zonesOfNumber(number))).toEqual(plain(zones));
  });

  it('has every zone of a country whose numbers tell no more', () => {
    expect(zonesOfNumber('+61412345678')).toEqual(
      expect.arrayContaining(['Australia/Perth', 'Australia/Sydney', 'Australia/Adelaide']),
    );
    expect(zonesOfNumber('+79161234567')!.length).toBeGreaterThan(10);
    expect(zonesOfNumber('+34600123456')).toEqual(expect.arrayContaining(['Europe/Madrid', 'Atlantic/Canary']));
    // A number that belongs to no place.
    expect(zonesOfNumber('+18005550123')).toEqual(expect.arrayContaining(['America/New_York', 'Pacific/Honolulu']));
  });

  it('knows nothing of a satellite, and the same list for all numbers of one place', () => {
    expect(zonesOfNumber('+870773123456')).toBeUndefined();
    expect(zonesOfNumber('+393331234567')).toBe(zonesOfNumber('+393337654321'));
    expect(zonesOfNumber('+12125550123')).toBe(zonesOfNumber('+12015550123'));
  });

  it('finds zones for every country that has numbers, and knows each of them', () => {
    const missing = Object.entries(metadata.country_calling_codes).filter(
      ([code]) => zonesOfNumber(`+${code}${'2'.repeat(9)}`) === undefined,
    );
    expect(missing).toEqual([]);
    for (let code = 200; code < 1000; code++) {
      const zones = areaCodeZones(`+1${code}5550123`) ?? [];
      expect([code, zones.filter((zone) => !isTimeZone(zone))]).toEqual([code, []]);
    }
  });
});
