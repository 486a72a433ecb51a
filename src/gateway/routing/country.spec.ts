import fc from 'fast-check';
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import metadata from 'libphonenumber-js/metadata.max.json';
import { countryOf, isInCountries } from './country';

const shared = Object.entries(metadata.country_calling_codes).filter(([, countries]) => countries.length > 1);

describe('countryOf', () => {
  it.each([
    ['+46701234567', 'SE'],
    ['+14165550123', 'CA'],
    ['+12025550123', 'US'],
    ['+13105550123', 'US'],
    ['+447400123456', 'GB'],
    ['+447911123456', 'GG'],
    ['+77011234567', 'KZ'],
    ['+79161234567', 'RU'],
    ['+390612345678', 'IT'],
    ['+390669812345', 'VA'],
    ['+4712345678', 'NO'],
    ['+883510012345', null],
    ['+999123456', null],
    ['46701234567', null],
    ['', null],
  ])('%s → %s', (number, country) => {
    expect(countryOf(number)).toBe(country);
    expect(countryOf(number)).toBe(country);
  });

  it('answers as the library does for each valid number of a shared calling code, also from memory', () => {
    const digits = (min: number, max: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: min, maxLength: max });
    fc.assert(
      fc.property(
        fc.constantFrom(...shared.map(([code]) => code)),
        digits(5, 5),
        fc.array(digits(1, 6), { minLength: 2, maxLength: 6 }),
        (code, beginning, ends) => {
          for (const end of ends) {
            const number = `+${code}${beginning}${end}`;
            const country = parsePhoneNumberFromString(number)?.country;
            if (country !== undefined) expect([number, countryOf(number)]).toEqual([number, country]);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('isInCountries', () => {
  it('agrees with the country of the number', () => {
    const wanted = new Set(['US', 'IT', 'GB', 'KZ', 'SE']);
    for (const number of [
      '+12025550123',
      '+14165550123',
      '+390612345678',
      '+390669812345',
      '+447911123456',
      '+46701',
      '+33612345678',
      '+883510012345',
      'x',
    ])
      expect([number, isInCountries(number, wanted)]).toEqual([number, wanted.has(countryOf(number) ?? '')]);
    expect(isInCountries('+12025550123', new Set())).toBe(false);
  });
});
