import fc from 'fast-check';
import { getCountries, getExampleNumber, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import metadata from 'libphonenumber-js/metadata.max.json';
import examples from 'libphonenumber-js/mobile/examples';
import { isPossiblePhoneNumber, readNationalNumber, withCallingCode } from './phone-number';

/** Countries that share a code have lengths of their own; the code's plan has them all. */
const shared = Object.entries(metadata.country_calling_codes).flatMap(([code, countries]) =>
  countries.length > 1 ? [code] : [],
);
const numbers = getCountries().flatMap((country) => getExampleNumber(country, examples)?.number ?? []);

describe('isPossiblePhoneNumber', () => {
  it('takes the example number of every country', () => {
    expect(numbers.length).toBeGreaterThan(200);
    expect(numbers.filter((number) => !isPossiblePhoneNumber(number))).toEqual([]);
  });

  it('takes all that the library calls possible, and for a calling code of one country nothing else', () => {
    fc.assert(
      fc.property(fc.constantFrom(...numbers), fc.integer({ min: 2, max: 15 }), fc.nat(), (number, digits, filler) => {
        const text = `+${(number.slice(1) + String(filler).padStart(14, '7')).slice(0, digits)}`;
        const parsed = parsePhoneNumberFromString(text);
        // The library takes a national prefix out of an international number; networks do not.
        fc.pre(parsed === undefined || parsed.number === text);
        const possible = parsed?.isPossible() ?? false;
        const isShared = shared.some((code) => text.startsWith(`+${code}`));
        if (possible || !isShared) expect(isPossiblePhoneNumber(text)).toBe(possible);
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    '',
    '393331234567',
    '+',
    '+0123456789',
    '+39 333 1234567',
    '+999123456789',
    '+1500555',
    '+39333123456789012',
    '+393331234567x',
  ])('refuses %j', (text) => {
    expect(isPossiblePhoneNumber(text)).toBe(false);
  });

  it.each(['+393331234567', '+15005550006', '+46700000000', '+447700900123', '+390669820', '+88216555567'])(
    'takes %j',
    (text) => {
      expect(isPossiblePhoneNumber(text)).toBe(true);
    },
  );
});

describe('numbers in national form', () => {
  it.each([
    ['0701234567', '0701234567'],
    ['070-123 45 67', '0701234567'],
    ['(0)70.1234567', '0701234567'],
    ['0046701234567', undefined],
    ['701234567', undefined],
    ['+46701234567', undefined],
    ['07x1234567', undefined],
    ['0', undefined],
    ['', undefined],
  ])('reads %j as %j', (text, expected) => expect(readNationalNumber(text)).toBe(expected));

  it.each([
    ['0701234567', '+46', '+46701234567'],
    ['07700900123', '+44', '+447700900123'],
    ['0669820123', '+39', '+390669820123'],
    ['0701', '+46', undefined],
    ['070123456789012', '+46', undefined],
    ['0701234567', '+999', undefined],
  ])('completes %j by %j: %j', (national, code, expected) => expect(withCallingCode(national, code)).toBe(expected));
});
