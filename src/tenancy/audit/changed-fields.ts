import { isPlainObject } from '../../platform/http/json-body';

const MOST_FIELDS = 50;
const LONGEST_FIELD = 100;

/** The names of the fields that a body sets, those of objects in it as `settings.time_zone`. Names only: a value may be a secret or a person's. */
export function changedFields(body: unknown): string[] {
  if (!isPlainObject(body)) return [];
  const names: string[] = [];
  for (const [name, value] of Object.entries(body)) {
    const inner = isPlainObject(value) ? Object.keys(value) : [];
    if (inner.length === 0) names.push(name);
    else names.push(...inner.map((one) => `${name}.${one}`));
  }
  return names.slice(0, MOST_FIELDS).map((name) => name.slice(0, LONGEST_FIELD));
}
