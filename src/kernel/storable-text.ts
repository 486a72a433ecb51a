/** The text as PostgreSQL can keep it: without NUL, and with U+FFFD for lone surrogates. */
export function storableText(text: string): string {
  const whole = text.includes('\0') ? text.replaceAll('\0', '') : text;
  return /[\ud800-\udfff]/.test(whole) ? Buffer.from(whole).toString() : whole;
}
