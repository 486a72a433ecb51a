import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import metadata from 'libphonenumber-js/metadata.max.json';

/** Calling code → its countries, the main one first. From the library's own table. */
const BY_CALLING_CODE: ReadonlyMap<string, readonly string[]> = new Map(Object.entries(metadata.country_calling_codes));

/** The countries that share the calling code of an E.164 number; empty when the code belongs to none. */
function countriesOfCallingCode(number: string): readonly string[] {
  if (number.charCodeAt(0) !== 0x2b) return [];
  // No calling code is the beginning of another one, so the first that fits is the one.
  for (let length = 1; length <= 3; length++) {
    const countries = BY_CALLING_CODE.get(number.slice(1, 1 + length));
    if (countries) return countries;
  }
  return [];
}

/** The ISO country of an E.164 number; null when it belongs to none. Of a shared calling code, the main country when the number does not tell. */
export function countryOf(number: string): string | null {
  const countries = countriesOfCallingCode(number);
  if (countries.length < 2) return countries[0] ?? null;
  return parsePhoneNumberFromString(number)?.country ?? countries[0]!;
}

/**
 * Whether a number belongs to one of these countries. The calling code alone answers nearly always; the number is parsed only when its
 * code is shared by countries of which some are in and some are not (+1: United States, Canada, …).
 */
export function isInCountries(number: string, wanted: ReadonlySet<string>): boolean {
  const countries = countriesOfCallingCode(number);
  let inside = 0;
  for (const country of countries) if (wanted.has(country)) inside++;
  if (inside === 0) return false;
  if (inside === countries.length) return true;
  return wanted.has(countryOf(number)!);
}
