import { GSM_BASIC, GSM_EXTENSION } from '../../kernel/gsm';

/** How a text is written in a short message. `gsm7` is the SMSC's default alphabet, one septet an octet. */
export type SmppAlphabet = 'gsm7' | 'latin1' | 'ucs2';

/** The `data_coding` of each alphabet (SMPP 3.4, 5.2.19). */
export const DATA_CODINGS: Readonly<Record<SmppAlphabet, number>> = { gsm7: 0x00, latin1: 0x03, ucs2: 0x08 };

/** Octets of the user data in the only part, and in each part of several: 140 octets of radio, less 6 of header. 7-bit text counts septets. */
const ROOM: Readonly<Record<SmppAlphabet, { single: number; part: number }>> = {
  gsm7: { single: 160, part: 153 },
  latin1: { single: 140, part: 134 },
  ucs2: { single: 140, part: 134 },
};

const ESC = 0x1b;
const EXTENSION_CODES = [0x0a, 0x14, 0x28, 0x29, 0x2f, 0x3c, 0x3d, 0x3e, 0x40, 0x65];

/** By UTF-16 unit: the code, with 0x100 for what comes after ESC; 0xffff for what GSM 03.38 does not have. */
const GSM_CODES = new Uint16Array(0x10000).fill(0xffff);
const GSM_CHARS: string[] = [];
const GSM_ESCAPED: string[] = [];
[...GSM_BASIC].forEach((char, index) => {
  const code = index < ESC ? index : index + 1;
  GSM_CODES[char.charCodeAt(0)] = code;
  GSM_CHARS[code] = char;
});
[...GSM_EXTENSION].forEach((char, index) => {
  GSM_CODES[char.charCodeAt(0)] = 0x100 | EXTENSION_CODES[index]!;
  GSM_ESCAPED[EXTENSION_CODES[index]!] = char;
});

/** The first of the alphabets that has every character of a text; undefined when none has. */
export function alphabetFor(text: string, allowed: readonly SmppAlphabet[]): SmppAlphabet | undefined {
  return allowed.find((alphabet) => {
    if (alphabet === 'ucs2') return true;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (alphabet === 'gsm7' ? GSM_CODES[unit] === 0xffff : unit > 0xff) return false;
    }
    return true;
  });
}

/**
 * A text's octets, part by part. Neither an ESC pair nor a surrogate pair is split.
 * @param text every character is in the alphabet
 */
export function encodeParts(text: string, alphabet: SmppAlphabet): Buffer[] {
  const whole = encodeText(text, alphabet);
  const room = ROOM[alphabet];
  if (whole.length <= room.single) return [whole];
  const parts: Buffer[] = [];
  for (let at = 0; at < whole.length;) {
    let end = Math.min(at + room.part, whole.length);
    if (end < whole.length && splitsPair(whole, end, alphabet)) end -= alphabet === 'ucs2' ? 2 : 1;
    parts.push(whole.subarray(at, end));
    at = end;
  }
  return parts;
}

/** The octets of a text, whatever its length. */
export function encodeText(text: string, alphabet: SmppAlphabet): Buffer {
  if (alphabet === 'latin1') return Buffer.from(text, 'latin1');
  if (alphabet === 'ucs2') return Buffer.from(text, 'utf16le').swap16();
  const octets = Buffer.allocUnsafe(text.length * 2);
  let size = 0;
  for (let i = 0; i < text.length; i++) {
    const code = GSM_CODES[text.charCodeAt(i)]!;
    if (code & 0x100) octets[size++] = ESC;
    octets[size++] = code & 0xff;
  }
  return octets.subarray(0, size);
}

function splitsPair(octets: Buffer, at: number, alphabet: SmppAlphabet): boolean {
  // An ESC is never the second of a pair, so the octet before the border tells.
  if (alphabet === 'gsm7') return octets[at - 1] === ESC;
  return alphabet === 'ucs2' && (octets[at]! & 0xfc) === 0xdc && (octets[at - 2]! & 0xfc) === 0xd8;
}

/**
 * The text of a short message from a phone.
 * @param dataCoding as in the PDU; 0 is read in the SMSC's default alphabet
 * @returns undefined for what is no text (binary data)
 */
export function decodeText(octets: Buffer, dataCoding: number, defaultAlphabet: SmppAlphabet): string | undefined {
  const alphabet = readAs(dataCoding) ?? defaultAlphabet;
  if (alphabet === 'binary') return undefined;
  if (alphabet === 'gsm7') return decodeGsm(octets);
  if (alphabet === 'latin1') return octets.toString('latin1');
  // An octet too many is no character.
  if (alphabet === 'ucs2')
    return Buffer.from(octets.subarray(0, octets.length & ~1))
      .swap16()
      .toString('utf16le');
  return new TextDecoder(alphabet).decode(octets);
}

type ReadAs = SmppAlphabet | 'binary' | 'iso-8859-5' | 'iso-8859-8' | 'shift_jis' | 'euc-kr' | 'iso-2022-jp';

const CODINGS: Readonly<Record<number, ReadAs>> = {
  1: 'latin1',
  2: 'binary',
  3: 'latin1',
  4: 'binary',
  5: 'shift_jis',
  6: 'iso-8859-5',
  7: 'iso-8859-8',
  8: 'ucs2',
  10: 'iso-2022-jp',
  14: 'euc-kr',
};

/** Undefined: the SMSC's default alphabet. From 0x10 on, `data_coding` is the GSM data coding scheme (GSM 03.38, 4). */
function readAs(dataCoding: number): ReadAs | undefined {
  if (dataCoding < 0x10) return CODINGS[dataCoding];
  const group = dataCoding >> 4;
  if (group === 0xf) return dataCoding & 0x04 ? 'binary' : 'gsm7';
  if (group === 0xe) return 'ucs2';
  if (group >= 0xc) return 'gsm7';
  if (group >= 0x8) return undefined;
  return ([undefined, 'binary', 'ucs2', undefined] as const)[(dataCoding >> 2) & 3];
}

function decodeGsm(octets: Buffer): string {
  let text = '';
  for (let i = 0; i < octets.length; i++) {
    const octet = octets[i]!;
    if (octet === ESC) {
      // An unknown escape is shown as the basic character (GSM 03.38, 6.2.1.1); a lone one as nothing.
      const code = octets[++i];
      if (code !== undefined) text += GSM_ESCAPED[code] ?? GSM_CHARS[code] ?? ' ';
    } else text += GSM_CHARS[octet] ?? '\ufffd';
  }
  return text;
}
