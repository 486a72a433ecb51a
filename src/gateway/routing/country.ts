import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import metadata from 'libphonenumber-js/metadata.max.json';

/** Calling code → its countries, the main one first. From the library's own table. */
const BY_CALLING_CODE: ReadonlyMap<string, readonly string[]> = new Map(Object.entries(metadata.country_calling_codes));

/** So many digits after the calling code, and the length, tell the country wherever a code is shared (`country.spec.ts` tries it). */
const TELLING_DIGITS = 5;
/** There are some tens of thousands of such beginnings in use. */
const MOST_KEPT = 100_000;
const byBeginning = new Map<string, string>();

/** The calling code of an E.164 number; undefined when there is no such code. */
function callingCodeOf(number: string): string | undefined {
  if (number.charCodeAt(0) !== 0x2b) return undefined;
  // No calling code is the beginning of another one, so the first that fits is the one.
  for (let length = 1; length <= 3; length++) {
    const code = number.slice(1, 1 + length);
    if (BY_CALLING_CODE.has(code)) return code;
  }
  return undefined;
}

/** The ISO country of an E.164 number; null when it belongs to none. Of a shared calling code, the main country when the number does not tell. */
export function countryOf(number: string): string | null {
  const code = callingCodeOf(number);
  if (code === undefined) return null;
  const countries = BY_CALLING_CODE.get(code)!;
  return countries.length === 1 ? countries[0]! : sharedCountryOf(number, code, countries[0]!);
}

function sharedCountryOf(number: string, code: string, main: string): string {
  // Parsing costs ten times the rest of a route, and numbers that begin alike are of the same country.
  const beginning = `${number.slice(0, 1 + code.length + TELLING_DIGITS)}/${number.length}`;
  const known = byBeginning.get(beginning);
  if (known !== undefined) return known;
  const country = parsePhoneNumberFromString(number)?.country;
  if (country === undefined) return main;
  if (byBeginning.size >= MOST_KEPT) byBeginning.clear();
  byBeginning.set(beginning, country);
  return country;
}

/**
 * Whether a number belongs to one of these countries. The calling code alone answers nearly always; the number is looked at only when its
 * code is shared by countries of which some are in and some are not (+1: United States, Canada, …).
 */
export function isInCountries(number: string, wanted: ReadonlySet<string>): boolean {
  const code = callingCodeOf(number);
  if (code === undefined) return false;
  const countries = BY_CALLING_CODE.get(code)!;
  let inside = 0;
  for (const country of countries) if (wanted.has(country)) inside++;
  if (inside === 0) return false;
  return inside === countries.length || wanted.has(sharedCountryOf(number, code, countries[0]!));
}
