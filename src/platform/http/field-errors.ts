import { validateSync, type ValidationError } from 'class-validator';
import type { FieldError } from '../../kernel/problem';
import { meets, planOf, type DtoPlan } from './dto-plan';
import { isPlainObject, joinPath, shortenPath } from './json-body';

/** A body with thousands of wrong items is answered with the first ones. */
const MAX_ERRORS = 50;

/** Our stable words for class-validator's constraints. A constraint that is not here and is named in snake_case keeps its own name. */
const CODES: Readonly<Record<string, string>> = {
  arrayMaxSize: 'too_many',
  arrayMinSize: 'too_few',
  arrayNotEmpty: 'too_few',
  arrayUnique: 'duplicate',
  isArray: 'invalid_type',
  isBoolean: 'invalid_type',
  isDateString: 'invalid_date',
  isDefined: 'required',
  isEmail: 'invalid_email',
  isEnum: 'invalid_value',
  isFqdn: 'invalid_domain',
  isIn: 'invalid_value',
  isInstance: 'invalid_type',
  isInt: 'invalid_type',
  isIso8601: 'invalid_date',
  isNotEmpty: 'empty',
  isNotEmptyObject: 'empty',
  isNumber: 'invalid_type',
  isObject: 'invalid_type',
  isPhoneNumber: 'invalid_phone_number',
  isPositive: 'too_small',
  isRFC3339: 'invalid_date',
  isString: 'invalid_type',
  isTimeFilter: 'invalid_date',
  isTimeZone: 'invalid_time_zone',
  isUrl: 'invalid_url',
  matches: 'invalid_format',
  max: 'too_large',
  maxLength: 'too_long',
  min: 'too_small',
  minLength: 'too_short',
  nestedValidation: 'invalid_type',
};

/** Says what is wrong with a DTO, field by field: first unknown fields and nested values of the wrong shape, then broken rules. */
export function fieldErrors(plan: DtoPlan, plain: Record<string, unknown>, instance: object): FieldError[] {
  const errors: FieldError[] = [];
  collectMisshapen(plan, plain, '', errors);
  // The plan knows every field that a rule belongs to, so class-validator need not look for unknown ones.
  const found = validateSync(instance, { forbidUnknownValues: false, validationError: { target: true, value: true } });
  const broken: FieldError[] = [];
  collect(found, '', false, broken);
  const named = new Set(errors.map((error) => error.field));
  return [...errors, ...broken.filter((error) => !named.has(error.field))].slice(0, MAX_ERRORS);
}

/** What class-validator lets pass: unknown fields, and in nested fields an array for an object or the other way round. */
function collectMisshapen(plan: DtoPlan, plain: Record<string, unknown>, path: string, errors: FieldError[]): void {
  for (const [key, value] of Object.entries(plain)) {
    if (errors.length >= MAX_ERRORS) return;
    const at = joinPath(path, key);
    const field = plan.fields.get(key);
    if (field === undefined) errors.push(fieldError(at, 'unknown_field', 'is not a known field'));
    else if (field.nestedClass !== undefined && value !== null) {
      const nested = planOf(field.nestedClass());
      if (!field.list) collectNested(nested, value, at, errors);
      else if (!Array.isArray(value)) errors.push(fieldError(at, 'invalid_type', 'must be an array'));
      else value.forEach((item: unknown, index) => collectNested(nested, item, joinPath(at, index), errors));
    }
  }
}

function collectNested(plan: DtoPlan, value: unknown, at: string, errors: FieldError[]): void {
  if (isPlainObject(value)) collectMisshapen(plan, value, at, errors);
  else errors.push(fieldError(at, 'invalid_type', 'must be an object'));
}

function collect(found: ValidationError[], path: string, inArray: boolean, errors: FieldError[]): void {
  for (const error of found) {
    if (errors.length >= MAX_ERRORS) return;
    const at = joinPath(path, inArray ? Number(error.property) : error.property);
    if (error.constraints) errors.push(...constraintErrors(error, at, inArray));
    if (error.children?.length) collect(error.children, at, Array.isArray(error.value), errors);
  }
}

function constraintErrors(error: ValidationError, at: string, inArray: boolean): FieldError[] {
  if (inArray) return [fieldError(at, 'invalid_type', 'must be an object')];
  if (error.value === undefined || error.value === null) return [fieldError(at, 'required', 'is required')];
  const all = Object.entries(error.constraints!).map(([name, message]) => ({
    name,
    code: codeOf(name, error),
    message,
  }));
  // A value of the wrong type breaks most other rules too; they would only hide what is wrong.
  const shown = all.some((one) => one.code === 'invalid_type') ? all.filter((one) => one.code === 'invalid_type') : all;
  return shown.flatMap(({ name, code, message }) => {
    const text = withoutField(message, error.property);
    const indexes = brokenItems(error, name);
    if (indexes.length === 0) return [fieldError(at, code, text)];
    return indexes.map((index) => fieldError(joinPath(at, index), code, text));
  });
}

function codeOf(name: string, error: ValidationError): string {
  const context = error.contexts?.[name] as { code?: string } | undefined;
  return context?.code ?? CODES[name] ?? (/^[a-z]+(_[a-z0-9]+)+$/.test(name) ? name : 'invalid_value');
}

/** Which items of an array break a rule that holds for each. */
function brokenItems(error: ValidationError, name: string): number[] {
  const { value, target } = error as { value: unknown; target?: object };
  if (!Array.isArray(value) || target === undefined) return [];
  const field = planOf(target.constructor as new () => object).fields.get(error.property);
  const rule = field?.rules.find((one) => one.name === name && one.each);
  if (rule === undefined) return [];
  return value.flatMap((item: unknown, index) =>
    meets({ ...rule, each: false }, target, error.property, item) ? [] : [index],
  );
}

/** class-validator begins its messages with the bare name of the field; ours begin with its path. */
function withoutField(message: string, property: string): string {
  return message
    .replace(new RegExp(`^each value in (nested property )?${escape(property)} `), '')
    .replace(new RegExp(`^(nested property )?${escape(property)} `), '');
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function fieldError(path: string, code: string, text: string): FieldError {
  const field = shortenPath(path);
  return { field, code, message: `${field} ${text}` };
}
