import { Problem, type FieldError } from '../kernel/problem';

/** Errors of a part of a body, in the words of the whole. `path` is where the part is. */
export function errorsAt(path: string, problem: Problem): FieldError[] {
  const errors = (problem.options.errors ?? []).map(({ field, code, message }) => {
    const at = field === '' || field === 'body' ? path : `${path}.${field}`;
    // Messages begin with the field as it was called where it was checked.
    const rest = message.startsWith(`${field} `) ? message.slice(field.length + 1) : message;
    return { field: at, code, message: `${at} ${rest}` };
  });
  return errors.length > 0 ? errors : [{ field: path, code: problem.code, message: `${path}: ${problem.detail}` }];
}

export function fieldError(field: string, code: string, text: string): FieldError {
  return { field, code, message: `${field} ${text}` };
}
