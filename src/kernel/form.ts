/** One field of a form or query, decoded. */
export type FormField = readonly [name: string, value: string];

/** `application/x-www-form-urlencoded`, UTF-8. Fields that are undefined are left out; lone surrogates become U+FFFD. */
export function encodeForm(fields: Readonly<Record<string, string | number | undefined>>): string {
  let form = '';
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    const text = typeof value === 'string' ? encode(value) : String(value);
    form += `${form ? '&' : ''}${encodeURIComponent(name)}=${text}`;
  }
  return form;
}

/** The fields of a form in their order, repeated names kept. Decodes as browsers do; broken escapes stay as they are. */
export function decodeForm(form: string): FormField[] {
  const fields: FormField[] = [];
  if (form === '') return fields;
  for (const part of form.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    fields.push(equals < 0 ? [decode(part), ''] : [decode(part.slice(0, equals)), decode(part.slice(equals + 1))]);
  }
  return fields;
}

/** The first field of that name. */
export function formValue(fields: readonly FormField[], name: string): string | undefined {
  return fields.find(([field]) => field === name)?.[1];
}

function encode(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return encodeURIComponent(Buffer.from(text).toString());
  }
}

function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Bytes that are not UTF-8: URLSearchParams replaces them instead of throwing.
    return [...new URLSearchParams(`a=${text}`).values()][0] ?? '';
  }
}
