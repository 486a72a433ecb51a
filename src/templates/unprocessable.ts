import { Problem, type FieldError } from '../kernel/problem';

const MOST_ERRORS = 50;

/** A 422: the request can be read, and what it asks for cannot be said with what it gives. */
export function unprocessable(errors: readonly FieldError[]): Problem {
  const shown = errors.slice(0, MOST_ERRORS);
  const detail =
    shown.length === 1
      ? `${shown[0]!.message}.`
      : `${shown.length} values are missing or wrong: ${shown.map(({ field }) => field).join(', ')}.`;
  return new Problem('invalid_request', detail, { status: 422, errors: shown });
}
