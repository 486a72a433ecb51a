import { isSupportedCountry } from 'libphonenumber-js/max';
import { z } from 'zod';

/** E.164 with `+`. */
export const E164 = /^\+[1-9]\d{6,14}$/;

/** Countries that a config serves; every SMS config has this setting. */
export const supportedCountries = z
  .array(
    z
      .string()
      .regex(/^[A-Z]{2}$/, 'must be an ISO 3166-1 alpha-2 code such as SE')
      // A wrong code, such as UK, would pass every recipient over without a word.
      .refine((code) => !/^[A-Z]{2}$/.test(code) || isSupportedCountry(code), 'is no country that has phone numbers'),
  )
  .max(300)
  .optional()
  .meta({
    description: 'Countries of recipients that this account serves, ISO 3166-1 alpha-2. Empty or absent: all.',
    example: ['SE', 'IT'],
  });
