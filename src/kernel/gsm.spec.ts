import fc from 'fast-check';
import { SegmentedMessage } from 'sms-segments-calculator';
import { measureSms } from './gsm';

const measured = (text: string): [string, number] => {
  const { encoding, segments } = measureSms(text);
  return [encoding, segments];
};

describe('measureSms', () => {
  it.each<[string, string, [string, number]]>([
    ['an empty text', '', ['gsm7', 1]],
    ['160 basic characters', 'a'.repeat(160), ['gsm7', 1]],
    ['161 basic characters', 'a'.repeat(161), ['gsm7', 2]],
    ['two full parts', 'a'.repeat(306), ['gsm7', 2]],
    ['one more than two full parts', 'a'.repeat(307), ['gsm7', 3]],
    ['80 extension characters', '€'.repeat(80), ['gsm7', 1]],
    ['81 extension characters', '€'.repeat(81), ['gsm7', 2]],
    ['an ESC pair at the border of a part', `${'a'.repeat(152)}€${'a'.repeat(152)}`, ['gsm7', 3]],
    ['CR LF as two characters', '\r\n'.repeat(81), ['gsm7', 2]],
    ['70 UCS-2 units', 'ж'.repeat(70), ['ucs2', 1]],
    ['71 UCS-2 units', 'ж'.repeat(71), ['ucs2', 2]],
    ['two full UCS-2 parts', 'ж'.repeat(134), ['ucs2', 2]],
    ['a surrogate pair at the border of a part', `${'ж'.repeat(66)}😀${'ж'.repeat(66)}`, ['ucs2', 3]],
    ['35 emoji', '😀'.repeat(35), ['ucs2', 1]],
    ['36 emoji', '😀'.repeat(36), ['ucs2', 2]],
    ['66 emoji', '😀'.repeat(66), ['ucs2', 2]],
    ['67 emoji', '😀'.repeat(67), ['ucs2', 3]],
  ])('measures %s', (_, text, expected) => expect(measured(text)).toEqual(expected));

  it('names the characters that force UCS-2, each once and in order', () => {
    expect(measureSms('È già “così” ç 😀 `“').ucs2Characters).toEqual(['È', '“', '”', 'ç', '😀', '`']);
    expect(measureSms('àèéìòù É €[]').ucs2Characters).toEqual([]);
  });

  it('takes the capital and not the small c cedilla for GSM', () => {
    expect([measured('Ç'), measured('ç')]).toEqual([
      ['gsm7', 1],
      ['ucs2', 1],
    ]);
  });

  it('agrees with an independent calculator on every single UTF-16 character', () => {
    for (let unit = 0; unit < 0x10000; unit++) {
      if (unit >= 0xd800 && unit <= 0xdfff) continue;
      const text = String.fromCharCode(unit);
      expect([unit, measureSms(text).encoding]).toEqual([
        unit,
        new SegmentedMessage(text).encodingName === 'GSM-7' ? 'gsm7' : 'ucs2',
      ]);
    }
  });

  const piece = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...'abcXYZ 019@£$àèéìòùÇØΔΩßÄÖÜ§¿\n') },
    { weight: 3, arbitrary: fc.constantFrom(...'^{}\\[~]|€\f') },
  );
  const wide = fc.constantFrom('ж', '漢', '“', 'ç', '😀', '𝄞', '🚀', 'a', '€', '{');
  const text = (char: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc
      .array(fc.tuple(char, fc.integer({ min: 1, max: 90 })), { maxLength: 12 })
      .map((runs) => runs.map(([c, n]) => c.repeat(n)).join(''));

  it.each([
    ['GSM-7', text(piece)],
    ['mixed', text(wide)],
  ])('agrees with an independent calculator on %s texts', (_, texts) => {
    fc.assert(
      fc.property(texts, (sample) => {
        const oracle = new SegmentedMessage(sample);
        expect(measured(sample)).toEqual([oracle.encodingName === 'GSM-7' ? 'gsm7' : 'ucs2', oracle.segmentsCount]);
      }),
      { numRuns: 300 },
    );
  });
});
