import type { z } from 'zod';
import type { FieldError } from '../../kernel/problem';
import { joinPath, shortenPath } from '../../platform/http/json-body';

/** A body with thousands of wrong items is answered with the first ones. */
const MAX_ERRORS = 50;

/** Says in the words of every other route what a zod schema found. Messages never hold the value. */
export function schemaErrors(error: z.ZodError): FieldError[] {
  return error.issues.flatMap(toFieldErrors).slice(0, MAX_ERRORS);
}

function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const path = pathOf(issue.path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => fieldError(joinPath(path, key), 'unknown_field', 'is not a known field'));
    case 'invalid_type':
      return issue.message.endsWith('received undefined')
        ? [fieldError(path, 'required', 'is required')]
        : [fieldError(path, 'invalid_type', `must be ${article(issue.expected)}`)];
    case 'too_small':
      return [fieldError(path, sized(issue.origin, 'too_short', 'too_few', 'too_small'), least(issue))];
    case 'too_big':
      return [fieldError(path, sized(issue.origin, 'too_long', 'too_many', 'too_large'), most(issue))];
    case 'invalid_value':
      return [fieldError(path, 'invalid_value', `must be one of ${issue.values.map(String).join(', ')}`)];
    case 'invalid_format':
      return [fieldError(path, 'invalid_format', text(issue.message))];
    case 'invalid_key':
      return [fieldError(path, 'invalid_key', text(issue.issues[0]?.message ?? issue.message))];
    case 'custom': {
      const code = (issue.params as { code?: unknown } | undefined)?.code;
      return [fieldError(path, typeof code === 'string' ? code : 'invalid_value', text(issue.message))];
    }
    default:
      return [fieldError(path, 'invalid_value', text(issue.message))];
  }
}

export function fieldError(path: string, code: string, message: string): FieldError {
  const field = shortenPath(path === '' ? 'body' : path);
  return { field, code, message: `${field} ${message}` };
}

function pathOf(keys: ReadonlyArray<PropertyKey>): string {
  return keys.reduce<string>((path, key) => joinPath(path, typeof key === 'number' ? key : String(key)), '');
}

function sized(origin: string, ofText: string, ofList: string, ofNumber: string): string {
  return origin === 'string' ? ofText : origin === 'array' || origin === 'set' ? ofList : ofNumber;
}

function least(issue: { origin: string; minimum: number | bigint; inclusive?: boolean }): string {
  if (issue.inclusive === false) return `must be more than ${issue.minimum}`;
  return `must ${issue.origin === 'number' ? 'be' : 'have'} at least ${issue.minimum}${unit(issue.origin)}`;
}

function most(issue: { origin: string; maximum: number | bigint; inclusive?: boolean }): string {
  return `must ${issue.origin === 'number' ? 'be' : 'have'} at most ${issue.maximum}${unit(issue.origin)}`;
}

function unit(origin: string): string {
  return origin === 'string' ? ' characters' : origin === 'array' ? ' items' : '';
}

function article(expected: string): string {
  if (expected === 'record') return 'an object';
  return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}

/** Definitions' own messages begin with "must"; the library's own are no sentence after a field's name. */
function text(message: string): string {
  return /^(must|is|has|cannot|names|needs) /.test(message) ? message : 'is not valid';
}
