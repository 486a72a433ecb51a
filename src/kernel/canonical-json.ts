/**
 * JSON with sorted keys and no white space, so that two bodies that mean the same give the same text. For hashing.
 * `undefined` members are left out, as JSON does.
 * @param omit a member of the outermost object that does not count
 */
export function canonicalJson(value: unknown, omit?: string): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  const record = value as Record<string, unknown>;
  let text = '';
  for (const key of Object.keys(record).sort()) {
    const member = record[key];
    if (member === undefined || key === omit) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `{${text}}`;
}
