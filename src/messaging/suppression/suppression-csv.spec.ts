import fc from 'fast-check';
import { csvLine, parseCsv } from './suppression-csv';

describe('CSV', () => {
  it('reads back what it writes, whatever is in it', () => {
    const record = fc.array(fc.string({ unit: 'binary' }), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(record), (records) => {
        const text = records.map((fields) => csvLine(fields)).join('');
        expect(parseCsv(text).map(({ fields }) => fields)).toEqual(records);
      }),
    );
  });

  it('reads what spreadsheets write, and counts lines as people do', () => {
    expect(parseCsv('\ufeffchannel,recipient\r\n\r\nsms,"+39 333, 1"\remail,"a ""b""\nc"\nlast,one')).toEqual([
      { line: 1, fields: ['channel', 'recipient'] },
      { line: 3, fields: ['sms', '+39 333, 1'] },
      { line: 3, fields: ['email', 'a "b"\nc'] },
      { line: 5, fields: ['last', 'one'] },
    ]);
    expect(parseCsv('')).toEqual([]);
  });
});
