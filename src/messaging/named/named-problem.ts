import { Problem, type FieldError } from '../../kernel/problem';
import type { NamedSendKind } from './named-send';

/** A refusal by the channel, its fields called as the path calls them. */
export function inWordsOf(kind: Pick<NamedSendKind, 'fields'>, problem: Problem): Problem {
  const errors = problem.options.errors ?? [];
  const renamed = errors.map((error) => rename({ provider: 'config_id', ...kind.fields }, error));
  if (renamed.every((error, index) => error.field === errors[index]!.field)) return problem;
  const detail =
    renamed.length === 1
      ? `${sentence(renamed[0]!)}.`
      : `${renamed.length} fields are not valid: ${renamed.map(({ field }) => field).join(', ')}.`;
  // What has a sentence of its own for people keeps it; only sentences about a field are made anew.
  const text = problem.code === 'invalid_request' ? detail : problem.detail;
  return new Problem(problem.code, text, {
    ...problem.options,
    status: problem.status,
    errors: renamed,
    cause: problem,
  });
}

/** The longest name that the field begins with is replaced, also at the start of the message. */
function rename(names: Readonly<Record<string, string>>, error: FieldError): FieldError {
  const old = Object.keys(names)
    .filter((name) => error.field === name || error.field.startsWith(`${name}.`) || error.field.startsWith(`${name}[`))
    .reduce((longest, name) => (name.length > longest.length ? name : longest), '');
  if (old === '') return error;
  const swap = (text: string): string => `${names[old]!}${text.slice(old.length)}`;
  return {
    field: swap(error.field),
    code: error.code,
    message: error.message.startsWith(error.field) ? swap(error.message) : error.message,
  };
}

function sentence({ field, message }: FieldError): string {
  return message.startsWith(field) ? message : `${field} ${message}`;
}
