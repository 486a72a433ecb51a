/** Longest ids of providers that are kept; they are in indexes, and no provider's are near it. */
const LONGEST_ID = 512;

/** Whether a provider's id can be one that is stored. */
export function isStorableId(id: string): boolean {
  return id.length <= LONGEST_ID && storableText(id) === id;
}

/** The text as PostgreSQL can keep it: without NUL, and with U+FFFD for lone surrogates. */
export function storableText(text: string): string {
  const whole = text.includes('\0') ? text.replaceAll('\0', '') : text;
  return /[\ud800-\udfff]/.test(whole) ? Buffer.from(whole).toString() : whole;
}
