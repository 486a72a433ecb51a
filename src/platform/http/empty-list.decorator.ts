import { ValidateBy } from 'class-validator';

/** The name by which {@link planOf} knows the mark of {@link EmptyIsAbsent}. */
export const EMPTY_IS_ABSENT = 'emptyIsAbsent';

/** For an optional list: `[]`, as SDKs send what nobody filled in, is taken as if the field was not there. */
export function EmptyIsAbsent(): PropertyDecorator {
  return ValidateBy({ name: EMPTY_IS_ABSENT, validator: { validate: () => true } });
}
