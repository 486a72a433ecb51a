import { pipeline } from 'node:stream';
import { parse, type Options } from 'csv-parse';
import { parse as parseSync } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';

/** One record with the number of the line that it begins in, from 1. */
export interface CsvRecord {
  line: number;
  fields: string[];
}

/** A record that cannot be read: what follows it is not read either, since nobody can tell where it would begin. */
export class CsvBroken extends Error {
  constructor(
    /** Where the record begins. */
    readonly line: number,
    reason: string,
  ) {
    super(reason);
    this.name = 'CsvBroken';
  }
}

/** Longest record, characters: a quote that nobody closes must not take the rest of a file into memory. */
const LONGEST_RECORD = 20_000;

/** RFC 4180, of any line ending; empty lines do not count, a byte order mark is dropped, and stray quotes are taken as they stand. */
const OPTIONS: Options = {
  bom: true,
  info: true,
  record_delimiter: ['\r\n', '\n', '\r'],
  relax_column_count: true,
  relax_quotes: true,
  ltrim: true,
  skip_empty_lines: true,
  max_record_size: LONGEST_RECORD,
};

interface Parsed {
  record: string[];
  info: { lines: number };
}

/** @throws CsvBroken */
export function parseCsv(text: string): CsvRecord[] {
  let last = 0;
  try {
    return (parseSync(text, OPTIONS) as unknown as Parsed[]).map((parsed) => {
      last = parsed.info.lines;
      return recordOf(parsed);
    });
  } catch (error) {
    throw brokenBy(error, last);
  }
}

/**
 * Reads records as they come, and no faster than they are taken; those before a broken one are given out. The bytes are taken to their end in any
 * case, so that who sends them gets to read an answer.
 * @throws CsvBroken, and what the stream is destroyed with
 */
export async function* readCsv(bytes: AsyncIterable<Buffer>): AsyncGenerator<CsvRecord> {
  let last = 0;
  let broken: unknown;
  const options: Options = {
    ...OPTIONS,
    on_record: (record, { lines }) => {
      last = lines;
      return record;
    },
    // An error of the stream would take records with it that are read already.
    skip_records_with_error: true,
    on_skip: (error) => void (broken ??= brokenBy(error, last)),
  };
  const whole = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of bytes) if (broken === undefined) yield chunk;
  };
  for await (const parsed of pipeline(whole, parse(options), () => {}) as AsyncIterable<Parsed>) yield recordOf(parsed);
  if (broken !== undefined) throw broken as Error;
}

/**
 * What a spreadsheet would run as a formula. A number with its sign is none. With the marks that such a text has already, so that each is taken
 * back once.
 */
const FORMULA = /^'*(?:[=@\t]|[-+](?!\d+$))/;

/** A field without the mark that {@link csvLines} gives to what is no formula. */
export function withoutFormulaMark(field: string): string {
  return field.startsWith("'") && FORMULA.test(field) ? field.slice(1) : field;
}

function withFormulaMark(field: string | null): string | null {
  return field !== null && FORMULA.test(field) ? `'${field}` : field;
}

/** Records with their lines' ends. Text that a spreadsheet would run is marked with an apostrophe. A field with white space around it is quoted, since readers take that away. */
export function csvLines(records: ReadonlyArray<ReadonlyArray<string | null>>): string {
  return stringify(
    records.map((record) => record.map(withFormulaMark)),
    { record_delimiter: 'windows', quoted_match: /[",\r\n]|^\s|\s$/ },
  );
}

/** The parser tells of the line that a record ends in. */
function recordOf({ record, info }: Parsed): CsvRecord {
  let inner = 0;
  for (const field of record)
    if (field.includes('\n') || field.includes('\r')) inner += field.split(/\r\n|\n|\r/).length - 1;
  return { line: info.lines - inner, fields: record };
}

function brokenBy(error: unknown, last: number): unknown {
  const { code } = error as { code?: string };
  if (code === 'CSV_MAX_RECORD_SIZE') return new CsvBroken(last + 1, `is longer than ${LONGEST_RECORD} characters`);
  if (code === 'CSV_QUOTE_NOT_CLOSED') return new CsvBroken(last + 1, 'has a quote that is not closed');
  return error;
}
