import { Problem } from '../../kernel/problem';
import { isStorable, shortenPath } from './json-body';

const NO_PARAMETERS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * Reads a query string strictly: each parameter once, well-formed percent encoding, nothing that cannot be stored.
 * @throws Problem that names the parameter
 */
export function parseQueryString(text: string): Readonly<Record<string, string>> {
  if (text === '') return NO_PARAMETERS;
  // No prototype: a parameter may be called `constructor`.
  const query = Object.create(null) as Record<string, string>;
  for (const part of text.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals === -1 ? part : part.slice(0, equals), 'query');
    const field = shortenPath(name) || 'query';
    if (name in query) throw Problem.field(field, 'repeated', 'must be given once');
    query[name] = equals === -1 ? '' : decode(part.slice(equals + 1), field);
  }
  return query;
}

/** @throws Problem when the path of a request cannot be decoded or holds what cannot be stored */
export function checkPath(path: string): void {
  if (path.includes('%')) decode(path, 'path');
}

function decode(text: string, field: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  let decoded: string;
  try {
    decoded = decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw Problem.field(field, 'invalid_encoding', 'must be percent-encoded UTF-8');
  }
  if (!isStorable(decoded)) throw Problem.field(field, 'invalid_characters', 'must not hold NUL characters');
  return decoded;
}
