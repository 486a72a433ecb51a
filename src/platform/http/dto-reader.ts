import type { FieldError } from '../../kernel/problem';
import { meets, planOf, type DtoClass, type DtoPlan, type FieldPlan } from './dto-plan';
import { fieldErrors } from './field-errors';
import { isPlainObject } from './json-body';

/**
 * Where the values come from. A `body` is taken as typed; the texts of a `query` become what `@Type(() => Number | Boolean)` says, and an empty
 * one is none where it may be left out.
 */
export type DtoSource = 'body' | 'query';

export type DtoResult<T> = { value: T; errors?: undefined } | { value?: undefined; errors: FieldError[] };

/**
 * Reads a plain object as a DTO: unknown fields and values that break a class-validator rule are errors, named by path.
 *
 * The rules are the decorators', run from a plan that was worked out once, and only for fields that are there: class-validator's own
 * `validate` gathers its metadata anew for each object, which costs more than the whole rest of a request. What does not pass is handed
 * to class-validator, which says what is wrong with it.
 */
export function readDto<T extends object>(dto: DtoClass<T>, plain: unknown, source: DtoSource = 'body'): DtoResult<T> {
  if (plain === null || typeof plain !== 'object' || Array.isArray(plain)) {
    return { errors: [{ field: 'body', code: 'invalid_type', message: 'body must be a JSON object' }] };
  }
  const plan = planOf(dto);
  const state = { unknown: false };
  const value = instantiate(plan, plain as Record<string, unknown>, source, state) as T;
  if (!state.unknown && isValid(plan, value)) return { value };
  const errors = fieldErrors(plan, plain as Record<string, unknown>, value);
  return errors.length === 0 ? { value } : { errors };
}

function instantiate(
  plan: DtoPlan,
  plain: Record<string, unknown>,
  source: DtoSource,
  state: { unknown: boolean },
): object {
  const instance = new plan.dto() as Record<string, unknown>;
  for (const key of Object.keys(plain)) {
    const field = plan.fields.get(key);
    if (field === undefined) {
      state.unknown = true;
      continue;
    }
    const value = plain[key];
    if (value === null && field.optional && !field.nullable) continue;
    // A form that is sent as it stands has empty parameters for what nobody filled in.
    if (value === '' && field.optional && source === 'query') continue;
    if (field.emptyIsAbsent && Array.isArray(value) && value.length === 0) continue;
    if (field.nestedClass !== undefined) instance[key] = instantiateNested(field.nestedClass(), value, source, state);
    else instance[key] = source === 'query' ? readQueryText(field, value) : value;
  }
  return instance;
}

function instantiateNested(dto: DtoClass, value: unknown, source: DtoSource, state: { unknown: boolean }): unknown {
  if (Array.isArray(value)) {
    return value.map((item: unknown) => (isPlainObject(item) ? instantiate(planOf(dto), item, source, state) : item));
  }
  return isPlainObject(value) ? instantiate(planOf(dto), value, source, state) : value;
}

function readQueryText(field: FieldPlan, value: unknown): unknown {
  if (field.readText !== undefined && typeof value === 'string') return field.readText(value);
  return field.textType === undefined ? value : convert(value, field.textType);
}

/** What does not read as the type stays a text, which the rule then refuses. */
function convert(value: unknown, type: 'number' | 'boolean'): unknown {
  if (typeof value !== 'string') return value;
  if (type === 'number') return /^-?\d{1,15}(\.\d{1,10})?$/.test(value) ? Number(value) : value;
  return value === 'true' ? true : value === 'false' ? false : value;
}

function isValid(plan: DtoPlan, instance: object): boolean {
  for (const field of plan.list) {
    const value = (instance as Record<string, unknown>)[field.name];
    if (field.optional && (value === undefined || value === null)) continue;
    if (!isFieldValid(field, instance, value)) return false;
  }
  return true;
}

function isFieldValid(field: FieldPlan, owner: object, value: unknown): boolean {
  for (const condition of field.conditions) if (!condition(owner, value)) return true;
  for (const rule of field.rules) {
    if (rule.condition !== undefined && !rule.condition(owner, value)) continue;
    if (!meets(rule, owner, field.name, value)) return false;
  }
  if (!field.nested || value === undefined) return true;
  const plan = planOf(field.nestedClass!());
  if (!field.list) return isPlainObject(value) && isValid(plan, value);
  if (!Array.isArray(value)) return false;
  for (const item of value) if (!isPlainObject(item) || !isValid(plan, item)) return false;
  return true;
}
