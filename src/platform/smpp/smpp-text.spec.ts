import { measureSms } from '../../kernel/gsm';
import { alphabetFor, decodeText, encodeParts, encodeText } from './smpp-text';

/** Every character of GSM 03.38, in the order of the codes; ESC is left out. */
const TABLE =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';

describe('texts of short messages', () => {
  it('writes each character of the GSM alphabet as its code, and reads it back', () => {
    const codes = Array.from({ length: 128 }, (_, code) => code).filter((code) => code !== 0x1b);
    expect([...encodeText(TABLE, 'gsm7')]).toEqual(codes);
    expect(decodeText(Buffer.from(codes), 0, 'gsm7')).toBe(TABLE);
    expect(encodeText('^{}\\[~]|€\f', 'gsm7').toString('hex')).toBe('1b141b281b291b2f1b3c1b3d1b3e1b401b651b0a');
    expect(decodeText(Buffer.from('1b141b281b291b2f1b3c1b3d1b3e1b401b651b0a1b411b', 'hex'), 0, 'gsm7')).toBe(
      '^{}\\[~]|€\fA',
    );
  });

  it('takes the first alphabet that has every character', () => {
    expect(alphabetFor('Hej å €', ['gsm7', 'ucs2'])).toBe('gsm7');
    expect(alphabetFor('façade', ['gsm7', 'ucs2'])).toBe('ucs2');
    expect(alphabetFor('façade', ['latin1', 'ucs2'])).toBe('latin1');
    expect(alphabetFor('€', ['latin1', 'ucs2'])).toBe('ucs2');
    expect(alphabetFor('ç', ['gsm7'])).toBeUndefined();
  });

  it.each([
    ['a'.repeat(160), 'gsm7', [160]],
    ['a'.repeat(161), 'gsm7', [153, 8]],
    ['a'.repeat(152) + '€' + 'a'.repeat(152), 'gsm7', [152, 153, 1]],
    ['я'.repeat(70), 'ucs2', [140]],
    ['я'.repeat(66) + '😀' + 'я'.repeat(66), 'ucs2', [132, 134, 2]],
    ['ç'.repeat(141), 'latin1', [134, 7]],
  ] as const)('parts a text without splitting a pair: %#', (text, alphabet, sizes) => {
    const parts = encodeParts(text, alphabet);
    expect(parts.map((part) => part.length)).toEqual(sizes);
    // What is billed is what is counted at intake.
    if (alphabet !== 'latin1') expect(parts).toHaveLength(measureSms(text).segments);
    for (const part of parts) {
      const coding = { gsm7: 0, latin1: 3, ucs2: 8 }[alphabet];
      expect(decodeText(part, coding, 'gsm7')!.isWellFormed()).toBe(true);
    }
    expect(Buffer.concat(parts)).toEqual(encodeText(text, alphabet));
  });
});
