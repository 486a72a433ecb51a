import { isEmailAddress } from '../kernel/email-address';
import type { FieldError } from '../kernel/problem';
import { isPlainObject } from '../platform/http/json-body';
import { fieldError } from './problem-path';

export const VARIABLE_TYPES = [
  'string',
  'number',
  'integer',
  'boolean',
  'array',
  'object',
  'date',
  'datetime',
  'url',
  'email',
] as const;
type VariableType = (typeof VARIABLE_TYPES)[number];

/** What a template says of one variable. */
export interface Variable {
  readonly type?: VariableType;
  /** Default: true, unless there is a {@link default}. */
  readonly required?: boolean;
  readonly default?: unknown;
  readonly example?: unknown;
  readonly description?: string;
}

/** Names, or what is said of each, however the client wrote it. Null: nothing was declared. */
export type DeclaredVariables = readonly string[] | Readonly<Record<string, Variable>> | null;

export const MOST_VARIABLES = 200;
const NAME = /^[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*$/;
const LONGEST_NAME = 128;
const LONGEST_DESCRIPTION = 500;
/** ISO 8601. */
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATETIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/i;
const MEMBERS: ReadonlySet<string> = new Set(['type', 'required', 'default', 'example', 'description']);

/** Reads the field `variables` of a request: names, or what is said of each, in one of the ways in which people say it. */
export function readVariables(value: unknown, errors: FieldError[]): DeclaredVariables {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return readList(value, errors);
  if (!isPlainObject(value)) {
    errors.push(fieldError('variables', 'invalid_type', 'must be a list of names, or an object'));
    return null;
  }
  const names = Object.keys(value);
  if (names.length > MOST_VARIABLES) {
    errors.push(fieldError('variables', 'too_many', `must have at most ${MOST_VARIABLES} members`));
    return null;
  }
  const read: Record<string, Variable> = {};
  for (const name of names) {
    const field = `variables.${name.slice(0, LONGEST_NAME)}`;
    if (!isName(name)) errors.push(fieldError(field, 'invalid_key', 'is no name of a variable'));
    else read[name] = readVariable(value[name], field, errors);
  }
  return read;
}

/** Names, or objects with a name. */
function readList(list: readonly unknown[], errors: FieldError[]): DeclaredVariables {
  if (list.length > MOST_VARIABLES) {
    errors.push(fieldError('variables', 'too_many', `must have at most ${MOST_VARIABLES} items`));
    return null;
  }
  const read = new Map<string, Variable>();
  list.forEach((item, index) => {
    const isNamed = isPlainObject(item);
    const field = isNamed ? `variables[${index}].name` : `variables[${index}]`;
    const { name, ...rest } = isNamed ? item : { name: item };
    if (typeof name !== 'string') errors.push(fieldError(field, 'invalid_type', 'must be the name of a variable'));
    else if (!isName(name)) errors.push(fieldError(field, 'invalid_value', 'is no name of a variable'));
    else if (read.has(name)) errors.push(fieldError(field, 'duplicate', 'is there twice'));
    else read.set(name, readVariable(rest, `variables[${index}]`, errors));
  });
  return list.some(isPlainObject) ? Object.fromEntries(read) : [...read.keys()];
}

/** What is said of one; a mere text is its type or, where it names none, what it is for. */
function readVariable(value: unknown, field: string, errors: FieldError[]): Variable {
  if (typeof value !== 'string') {
    checkVariable(value, field, errors);
    return value as Variable;
  }
  if (VARIABLE_TYPES.includes(value as VariableType)) return { type: value as VariableType };
  if (value.length > LONGEST_DESCRIPTION)
    errors.push(fieldError(field, 'too_long', `must have at most ${LONGEST_DESCRIPTION} characters`));
  return { description: value };
}

function isName(name: string): boolean {
  return name.length <= LONGEST_NAME && NAME.test(name) && !name.includes('__proto__');
}

function checkVariable(value: unknown, field: string, errors: FieldError[]): void {
  if (!isPlainObject(value)) {
    errors.push(fieldError(field, 'invalid_type', 'must be an object'));
    return;
  }
  for (const name of Object.keys(value))
    if (!MEMBERS.has(name))
      errors.push(fieldError(`${field}.${name.slice(0, LONGEST_NAME)}`, 'unknown_field', 'is not a known field'));
  const { type, required, description } = value;
  if (type !== undefined && !VARIABLE_TYPES.includes(type as VariableType))
    errors.push(fieldError(`${field}.type`, 'invalid_value', `must be one of ${VARIABLE_TYPES.join(', ')}`));
  if (required !== undefined && typeof required !== 'boolean')
    errors.push(fieldError(`${field}.required`, 'invalid_type', 'must be a boolean'));
  if (description !== undefined && (typeof description !== 'string' || description.length > LONGEST_DESCRIPTION))
    errors.push(
      fieldError(
        `${field}.description`,
        'invalid_value',
        `must be a string of at most ${LONGEST_DESCRIPTION} characters`,
      ),
    );
  if (errors.length > 0 || type === undefined) return;
  for (const name of ['default', 'example'])
    if (value[name] !== undefined && value[name] !== null && !isOfType(value[name], type as VariableType))
      errors.push(fieldError(`${field}.${name}`, 'invalid_type', `must be of the type ${type as string}`));
}

/** The data of a rendering: without nulls (nothing is nothing), with defaults. Errors name members of `data`. */
export function withDefaults(
  variables: DeclaredVariables,
  given: Readonly<Record<string, unknown>>,
): { data: Record<string, unknown>; errors: FieldError[] } {
  const data = withoutNulls(given) as Record<string, unknown>;
  const errors: FieldError[] = [];
  for (const [name, variable] of entriesOf(variables)) {
    const value = valueAt(data, name);
    if (value === undefined) {
      if (variable.default !== undefined && variable.default !== null)
        setAt(data, name, structuredClone(variable.default));
      else if (variable.required !== false) errors.push(fieldError(`data.${name}`, 'missing_variable', 'is required'));
    } else if (variable.type !== undefined && !isOfType(value, variable.type)) {
      errors.push(fieldError(`data.${name}`, 'invalid_type', `must be of the type ${variable.type}`));
    }
  }
  return { data, errors };
}

/** The examples of the variables that have one. */
export function examplesOf(variables: DeclaredVariables): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const [name, { example }] of entriesOf(variables)) if (example !== undefined) setAt(data, name, example);
  return data;
}

function entriesOf(variables: DeclaredVariables): Array<[string, Variable]> {
  if (variables === null) return [];
  return isNames(variables) ? variables.map((name) => [name, {}]) : Object.entries(variables);
}

function isNames(variables: NonNullable<DeclaredVariables>): variables is readonly string[] {
  return Array.isArray(variables);
}

/** A number is a text too: who counts or writes a time of day sends one. */
function isOfType(value: unknown, type: VariableType): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string' || typeof value === 'number';
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isPlainObject(value);
    case 'number':
    case 'boolean':
      return typeof value === type;
    case 'integer':
      return Number.isInteger(value);
    case 'date':
      return typeof value === 'string' && DATE.test(value) && isTime(value);
    case 'datetime':
      return typeof value === 'string' && DATETIME.test(value) && isTime(value);
    case 'url':
      return typeof value === 'string' && URL.canParse(value);
    case 'email':
      return typeof value === 'string' && isEmailAddress(value);
  }
}

/** Not on a day that no month has: `Date` goes on into the next month. */
function isTime(text: string): boolean {
  const day = new Date(text.slice(0, 10));
  const isOne = !Number.isNaN(Date.parse(text)) && !Number.isNaN(day.getTime());
  return isOne && day.toISOString().startsWith(text.slice(0, 10));
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([name, member]) => [name, withoutNulls(member)]),
  );
}

function valueAt(data: Readonly<Record<string, unknown>>, path: string): unknown {
  let at: unknown = data;
  for (const name of path.split('.')) {
    if (!isPlainObject(at) || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return at;
}

function setAt(data: Record<string, unknown>, path: string, value: unknown): void {
  const names = path.split('.');
  const last = names.pop()!;
  let at = data;
  for (const name of names) {
    if (!Object.hasOwn(at, name)) at[name] = {};
    const next = at[name];
    if (!isPlainObject(next)) return;
    at = next;
  }
  at[last] = value;
}
