import { withCallingCode } from '../../kernel/phone-number';
import { Problem } from '../../kernel/problem';
import type { Route } from '../router';

/** A national number, by the country of the first account of its route that names one. @throws Problem 400 when none does, or it has no such numbers */
export function completeNumber(national: string, { candidates }: Pick<Route, 'candidates'>): string {
  const codes = candidates.map(({ config }) => config.settings.default_country_code);
  const callingCode = codes.find((code) => typeof code === 'string');
  const number = callingCode === undefined ? undefined : withCallingCode(national, callingCode);
  if (number === undefined) throw notANumber();
  return number;
}

/** A 400 for a recipient that is no phone number. */
export function notANumber(): Problem {
  return Problem.field('to', 'invalid_phone_number', 'must be a phone number in E.164 form, such as +393331234567');
}
