import fc from 'fast-check';
import { decodeForm, encodeForm, formValue } from './form';

describe('forms', () => {
  it('keeps order and repeated names, and tells an empty value from a missing one', () => {
    const fields = decodeForm('b=2&a=1&b=3&empty=&bare&=nameless&&');
    expect(fields).toEqual([
      ['b', '2'],
      ['a', '1'],
      ['b', '3'],
      ['empty', ''],
      ['bare', ''],
      ['', 'nameless'],
    ]);
    expect(formValue(fields, 'b')).toBe('2');
    expect(formValue(fields, 'none')).toBeUndefined();
  });

  it('decodes any text as URLSearchParams does', () => {
    const piece = fc.oneof(
      fc.constantFrom('%', '%4', '%zz', '%E2%82%AC', '%ff', '+', '=', '&', 'a', '%00', '%2B'),
      fc.string({ unit: 'grapheme' }),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const form = Buffer.from(pieces.join('')).toString();
        // A leading question mark is part of the name in a body.
        expect(decodeForm(form)).toEqual([...new URLSearchParams(`&${form}`)]);
      }),
    );
  });

  it('encodes what URLSearchParams reads back, without undefined fields', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[A-Za-z &=%+-]{1,8}$/), fc.string({ unit: 'binary' })),
        (fields) => {
          const form = encodeForm({ ...fields, gone: undefined });
          expect(Object.fromEntries(new URLSearchParams(form))).toEqual({ ...fields });
        },
      ),
    );
    expect(encodeForm({ To: '+46 700', n: 5, lone: '\ud800' })).toBe('To=%2B46%20700&n=5&lone=%EF%BF%BD');
  });
});
