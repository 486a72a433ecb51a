import { Metadata, parsePhoneNumberFromString, type CountryCode, type MetadataJson } from 'libphonenumber-js/core';
import metadata from 'libphonenumber-js/metadata.max.json';

const E164 = /^\+[1-9]\d{1,14}$/;

/** Calling code → lengths that a number may have after it; from the library's own tables. */
const LENGTHS = possibleLengths();

function possibleLengths(): ReadonlyMap<string, ReadonlySet<number>> {
  const lengths = new Map<string, ReadonlySet<number>>();
  const plans = new Metadata(metadata as unknown as MetadataJson);
  for (const code of [...Object.keys(metadata.country_calling_codes), ...Object.keys(metadata.nonGeographic)]) {
    // Takes a calling code as well as a country, which its type does not say.
    plans.selectNumberingPlan(code as CountryCode);
    lengths.set(code, new Set(plans.numberingPlan?.possibleLengths() ?? []));
  }
  return lengths;
}

/**
 * Whether a text is a phone number in E.164 form whose calling code exists and whose length the code's numbering plan allows. Stricter checks go by
 * tables of ranges, which lag behind the networks and refuse numbers that are in use.
 *
 * The library's own parsing answers the same (the spec compares them) for fifty times the cost, on a path that each message takes.
 */
export function isPossiblePhoneNumber(text: string): boolean {
  if (!E164.test(text)) return false;
  // No calling code is the beginning of another one, so the first that fits is the one.
  for (let length = 1; length <= 3; length++) {
    const lengths = LENGTHS.get(text.slice(1, 1 + length));
    if (lengths) return lengths.has(text.length - 1 - length);
  }
  return false;
}

/** E.164, with the white space, dots, hyphens and brackets that people write taken out; undefined when it is none. */
export function readPhoneNumber(text: string): string | undefined {
  const compact = /[\s().-]/.test(text) ? text.replace(/[\s().-]/g, '') : text;
  return isPossiblePhoneNumber(compact) ? compact : undefined;
}

/** Whether a text is `+` and a calling code that is in use. */
export function isCallingCode(text: string): boolean {
  return text.startsWith('+') && LENGTHS.has(text.slice(1));
}

/** A number in national form, with its leading 0 and the signs of {@link readPhoneNumber} taken out; undefined when it is none. */
export function readNationalNumber(text: string): string | undefined {
  const compact = text.replace(/[\s().-]/g, '');
  return /^0[1-9]\d{3,13}$/.test(compact) ? compact : undefined;
}

/**
 * E.164 of a national number; undefined when the country has no such numbers. Whether the leading 0 goes is the country's rule: it stays in Italy.
 * @param callingCode with `+`
 * @example withCallingCode('0701234567', '+46') // '+46701234567'
 */
export function withCallingCode(national: string, callingCode: string): string | undefined {
  if (!isCallingCode(callingCode)) return undefined;
  const options = { defaultCallingCode: callingCode.slice(1), extract: false };
  const number = parsePhoneNumberFromString(national, options, metadata as unknown as MetadataJson)?.number;
  return number !== undefined && isPossiblePhoneNumber(number) ? number : undefined;
}
