import type { FieldError } from '../kernel/problem';
import { isPlainObject } from '../platform/http/json-body';
import { fieldError } from './problem-path';

export const VARIABLE_TYPES = ['string', 'number', 'boolean', 'array', 'object'] as const;
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

/** Names, or what is said of each. Null: nothing was declared. */
export type DeclaredVariables = readonly string[] | Readonly<Record<string, Variable>> | null;

export const MOST_VARIABLES = 200;
const NAME = /^[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*$/;
const LONGEST_NAME = 128;
const MEMBERS: ReadonlySet<string> = new Set(['type', 'required', 'default', 'example', 'description']);

/** Reads the field `variables` of a request. */
export function readVariables(value: unknown, errors: FieldError[]): DeclaredVariables {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return readNames(value, errors);
  if (!isPlainObject(value)) {
    errors.push(fieldError('variables', 'invalid_type', 'must be a list of names, or an object'));
    return null;
  }
  const names = Object.keys(value);
  if (names.length > MOST_VARIABLES) {
    errors.push(fieldError('variables', 'too_many', `must have at most ${MOST_VARIABLES} members`));
    return null;
  }
  for (const name of names) {
    const field = `variables.${name.slice(0, LONGEST_NAME)}`;
    if (!isName(name)) errors.push(fieldError(field, 'invalid_key', 'is no name of a variable'));
    else checkVariable(value[name], field, errors);
  }
  return value as Record<string, Variable>;
}

function readNames(list: readonly unknown[], errors: FieldError[]): DeclaredVariables {
  if (list.length > MOST_VARIABLES) {
    errors.push(fieldError('variables', 'too_many', `must have at most ${MOST_VARIABLES} items`));
    return null;
  }
  const seen = new Set<unknown>();
  list.forEach((name, index) => {
    const field = `variables[${index}]`;
    if (typeof name !== 'string') errors.push(fieldError(field, 'invalid_type', 'must be the name of a variable'));
    else if (!isName(name)) errors.push(fieldError(field, 'invalid_value', 'is no name of a variable'));
    else if (seen.has(name)) errors.push(fieldError(field, 'duplicate', 'is there twice'));
    seen.add(name);
  });
  return list as readonly string[];
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
  if (description !== undefined && (typeof description !== 'string' || description.length > 500))
    errors.push(fieldError(`${field}.description`, 'invalid_value', 'must be a string of at most 500 characters'));
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
  }
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
