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

/** The setting that {@link maxConcurrent} makes, for `limits.windowSetting`. */
export const MAX_CONCURRENT = 'max_concurrent';

/** How many calls to the account may be under way at once, where providers grant some accounts more than others. */
export const maxConcurrent = (usual: number) =>
  z
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .meta({
      description: `Calls to this account under way at once, in each worker process. Absent: ${usual}. More than the provider grants the account is answered 429.`,
      example: usual,
    });
