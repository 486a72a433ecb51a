import { Readable } from 'node:stream';
import fc from 'fast-check';
import { csvLines, CsvBroken, parseCsv, readCsv, withoutFormulaMark, type CsvRecord } from './suppression-csv';

async function read(...chunks: Array<string | Buffer>): Promise<CsvRecord[]> {
  const records: CsvRecord[] = [];
  for await (const record of readCsv(Readable.from(chunks.map((chunk) => Buffer.from(chunk))))) records.push(record);
  return records;
}

describe('CSV', () => {
  it('reads back what it writes, whatever is in it', () => {
    const record = fc.array(fc.string({ unit: 'binary' }), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(record), (records) => {
        const read = parseCsv(csvLines(records)).map(({ fields }) => fields.map(withoutFormulaMark));
        expect(read).toEqual(records);
      }),
    );
  });

  it('reads what spreadsheets write, and counts lines as people do', async () => {
    const text = '\ufeffchannel,recipient\r\n\r\nsms,"+39 333, 1"\remail,"a ""b""\nc"\nlast, "one"';
    const expected = [
      { line: 1, fields: ['channel', 'recipient'] },
      { line: 3, fields: ['sms', '+39 333, 1'] },
      { line: 4, fields: ['email', 'a "b"\nc'] },
      { line: 6, fields: ['last', 'one'] },
    ];
    expect(parseCsv(text)).toEqual(expected);
    expect(await read(...[...Buffer.from(text)].map((byte) => Buffer.from([byte])))).toEqual(expected);
    expect(parseCsv('')).toEqual([]);
    expect(await read('')).toEqual([]);
  });

  it.each([
    ['=HYPERLINK("http://evil.example")', `'=HYPERLINK("http://evil.example")`],
    ['@sum', "'@sum"],
    ['-2+3', "'-2+3"],
    ['+cmd|x', "'+cmd|x"],
    ['\tx', "'\tx"],
    ["'=x", "''=x"],
    ['+393331234567', '+393331234567'],
    ['-1001234567890', '-1001234567890'],
    ["'tis", "'tis"],
    ['a=b', 'a=b'],
  ])('lets no spreadsheet run %j, and takes it back as it was', (value, written) => {
    const [record] = parseCsv(csvLines([[value, 'x']]));
    expect(record!.fields).toEqual([written, 'x']);
    expect(withoutFormulaMark(record!.fields[0]!)).toBe(value);
  });

  it('takes stray quotes as they stand, and goes on behind them', () => {
    expect(parseCsv('a,b\n1,"x"y\nq"r,2\nk,l\n').map(({ fields }) => fields)).toEqual([
      ['a', 'b'],
      ['1', '"x"y'],
      ['q"r', '2'],
      ['k', 'l'],
    ]);
  });

  it('says where a record begins that has no end', async () => {
    expect(() => parseCsv('a,b\n1,2\n3,"x\n4,5\n')).toThrow(CsvBroken);
    await expect(read('a,b\n1,2\n3,"x\n4,5\n')).rejects.toMatchObject({ line: 3 });
    await expect(read('a,b\n', `${'z'.repeat(10_000)}`, `${'z'.repeat(11_000)},q\n`)).rejects.toMatchObject({
      line: 2,
    });
  });
});
