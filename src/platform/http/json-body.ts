import { isUtf8 } from 'node:buffer';
import { Problem } from '../../kernel/problem';
import { jsonErrorPosition } from './json-position';

/** Most levels of objects and arrays in a body; the body itself is the first. */
export const MAX_JSON_DEPTH = 32;

/** Most objects and arrays in a body. The largest batches and notifications have a fraction of it. */
export const MAX_JSON_NODES = 200_000;

const INVALID_CHARACTERS = 'must not hold NUL characters or lone surrogates';

/**
 * Reads the bytes of a JSON object. What comes out can be stored: PostgreSQL takes neither NUL nor lone surrogates in text.
 * @throws Problem that names the field; the input is never echoed
 */
export function parseJsonObject(bytes: Buffer): Record<string, unknown> {
  if (!isUtf8(bytes)) throw Problem.field('body', 'invalid_utf8', 'must be valid UTF-8');
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw Problem.field(
      'body',
      'invalid_json',
      `must be valid JSON; it is not at character ${jsonErrorPosition(text)}`,
    );
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw Problem.field('body', 'invalid_type', 'must be a JSON object');
  }
  if (needsInspection(text)) inspect(value);
  return value as Record<string, unknown>;
}

/** What the walk looks for needs an escape, that one key, or many opening brackets; a usual body has none of them. */
function needsInspection(text: string): boolean {
  if (text.includes('\\u') || text.includes('__proto__')) return true;
  return atLeast(text, '{', '[', MAX_JSON_DEPTH + 1);
}

function atLeast(text: string, first: string, second: string, count: number): boolean {
  let found = 0;
  for (const opener of [first, second]) {
    for (let at = text.indexOf(opener); at !== -1; at = text.indexOf(opener, at + 1)) if (++found >= count) return true;
  }
  return false;
}

interface Node {
  value: object;
  depth: number;
  parent: Node | undefined;
  key: string | number;
}

/**
 * Iterative: the depth is what is in question. Members are looked at one by one, because a list of them may be a hundred times as large as
 * the body was.
 */
function inspect(body: object): void {
  const stack: Node[] = [{ value: body, depth: 1, parent: undefined, key: '' }];
  let nodes = 1;
  const look = (node: Node, key: string | number, member: unknown): void => {
    if (typeof member === 'string') {
      if (!isStorable(member)) throw Problem.field(pathOf(node, key), 'invalid_characters', INVALID_CHARACTERS);
    } else if (member !== null && typeof member === 'object') {
      if (++nodes > MAX_JSON_NODES) {
        throw Problem.field('body', 'too_many', `must have at most ${MAX_JSON_NODES} objects and lists`);
      }
      stack.push({ value: member, depth: node.depth + 1, parent: node, key });
    }
  };
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.depth > MAX_JSON_DEPTH) {
      throw Problem.field(pathOf(node), 'too_deep', `must not be nested more than ${MAX_JSON_DEPTH} levels deep`);
    }
    if (Array.isArray(node.value)) {
      for (let at = 0; at < node.value.length; at++) look(node, at, node.value[at]);
      continue;
    }
    const members = node.value as Record<string, unknown>;
    // What JSON.parse makes inherits nothing that is enumerable.
    for (const name in members) {
      if (!isStorable(name)) throw Problem.field(pathOf(node, name), 'invalid_characters', INVALID_CHARACTERS);
      if (name === '__proto__') throw Problem.field(pathOf(node, name), 'unknown_field', 'is not a possible name');
      look(node, name, members[name]);
    }
  }
}

/** A body that is a text. @throws Problem when it is no UTF-8, or cannot be stored */
export function storableUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw Problem.field('body', 'invalid_utf8', 'must be valid UTF-8');
  const text = bytes.toString('utf8');
  if (!isStorable(text)) throw Problem.field('body', 'invalid_characters', INVALID_CHARACTERS);
  return text;
}

/** True when PostgreSQL can store the text. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function pathOf(node: Node, last?: string | number): string {
  const keys: Array<string | number> = last === undefined ? [] : [last];
  for (let at: Node | undefined = node; at?.parent !== undefined; at = at.parent) keys.push(at.key);
  let path = '';
  for (const key of keys.reverse()) path = joinPath(path, key);
  return shortenPath(path);
}

/** `a` and `b` make `a.b`, `a` and 3 make `a[3]`. */
export function joinPath(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** A field's name comes from the client, so it is cut and cleaned before it is shown. */
export function shortenPath(path: string): string {
  const clean = path.toWellFormed().replaceAll('\0', '\uFFFD');
  return clean.length <= 128 ? clean : `${clean.slice(0, 127)}…`.toWellFormed();
}

/** An object, and no array. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
