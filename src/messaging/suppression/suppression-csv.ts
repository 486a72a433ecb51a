/** RFC 4180: a record a line, fields by commas, quotes where a field holds a comma, a quote or a line break. */

/** One record with the number of the line that it begins in, from 1. */
export interface CsvRecord {
  line: number;
  fields: string[];
}

/** Reads CSV of any line ending; empty lines do not count. A byte order mark, which spreadsheets write, is dropped. */
export function parseCsv(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let fields: string[] = [];
  let field = '';
  let quoted = false;
  let line = 1;
  let first = 1;
  const end = () => {
    fields.push(field);
    field = '';
    if (fields.length > 1 || fields[0] !== '') records.push({ line: first, fields });
    fields = [];
  };
  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '\n') line += 1;
    if (quoted) {
      if (char !== '"') field += char;
      else if (text[at + 1] === '"') {
        field += '"';
        at += 1;
      } else quoted = false;
    } else if (char === '"' && field.trim() === '') {
      field = '';
      quoted = true;
    } else if (char === ',') {
      fields.push(field);
      field = '';
    } else if (char === '\n' || (char === '\r' && text[at + 1] !== '\n')) {
      end();
      first = line;
    } else if (char !== '\r') field += char;
  }
  end();
  return records;
}

/** One record, with the line's end. */
export function csvLine(fields: ReadonlyArray<string | null>): string {
  return `${fields.map((field) => quote(field ?? '')).join(',')}\r\n`;
}

function quote(field: string): string {
  return /[",\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
