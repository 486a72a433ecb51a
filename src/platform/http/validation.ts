import { Problem, type FieldError } from '../../kernel/problem';
import type { DtoClass } from './dto-plan';
import { readDto, type DtoSource } from './dto-reader';

/**
 * Reads a body, or a part of one, as a DTO whose class is found at run time (the items of a batch).
 * @throws Problem 400 that names every wrong field
 */
export function validateBody<T extends object>(dto: DtoClass<T>, body: unknown): T {
  return validateAs(dto, body, 'body');
}

export function validateAs<T extends object>(dto: DtoClass<T>, plain: unknown, source: DtoSource): T {
  const result = readDto(dto, plain, source);
  if (result.errors !== undefined) throw invalidFields(result.errors);
  return result.value;
}

/** A 400 for several fields. */
export function invalidFields(errors: FieldError[]): Problem {
  const [first] = errors;
  const detail =
    errors.length === 1
      ? `${first!.message}.`
      : `${errors.length} fields are not valid: ${errors.map((one) => one.field).join(', ')}.`;
  return new Problem('invalid_request', detail, { errors });
}
