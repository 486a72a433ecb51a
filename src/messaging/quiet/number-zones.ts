import { getTimezonesForCountry } from 'countries-and-timezones';
import { countryOf } from '../../gateway/routing/country';
import { isTimeZone } from '../../kernel/time-zone';
import { areaCodeZones } from './area-code-zones';

/** Countries of calling codes that the table of zones does not have. */
const MORE: Readonly<Record<string, readonly string[]>> = {
  AC: ['Atlantic/St_Helena'],
  TA: ['Atlantic/St_Helena'],
  XK: ['Europe/Belgrade'],
};

const byCountry = new Map<string, readonly string[] | undefined>();

/**
 * The time zones that the owner of an E.164 number may live in: of its area code in the United States and Canada, else all of its country's.
 * Undefined for a number of no country (a satellite's, say). Numbers of one place have the same list, not just an equal one.
 */
export function zonesOfNumber(number: string): readonly string[] | undefined {
  const country = countryOf(number);
  if (country === null) return undefined;
  const byArea = country === 'US' || country === 'CA' ? areaCodeZones(number) : undefined;
  return byArea ?? zonesOfCountry(country);
}

function zonesOfCountry(country: string): readonly string[] | undefined {
  if (byCountry.has(country)) return byCountry.get(country);
  const found = (getTimezonesForCountry(country) ?? []).map(({ name, aliasOf }) => aliasOf ?? name);
  const zones = [...new Set(found.length > 0 ? found : MORE[country])].filter(isTimeZone);
  const list = zones.length > 0 ? Object.freeze(zones) : undefined;
  byCountry.set(country, list);
  return list;
}
