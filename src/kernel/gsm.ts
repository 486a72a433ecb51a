export type SmsEncoding = 'gsm7' | 'ucs2';

/** How a text goes out as SMS. */
export interface SmsMeasure {
  /** `gsm7` when every character is in the GSM 03.38 alphabet, else `ucs2` for the whole text. */
  encoding: SmsEncoding;
  /** Parts that the networks carry and providers charge. At least 1. */
  segments: number;
  /** The characters that force UCS-2, each once, in order of appearance. Empty for `gsm7`. */
  ucs2Characters: string[];
}

/** The basic alphabet of GSM 03.38 in the order of its codes, without ESC (0x1b). */
export const GSM_BASIC =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
/** What ESC and a second code give. */
export const GSM_EXTENSION = '\f^{}\\[~]|€';

/** Septets by UTF-16 code unit: 1 for the basic table, 2 for the extension table (ESC and code), 0 for what GSM 03.38 does not have. */
const SEPTETS = new Uint8Array(0x10000);
for (const char of GSM_BASIC) SEPTETS[char.charCodeAt(0)] = 1;
for (const char of GSM_EXTENSION) SEPTETS[char.charCodeAt(0)] = 2;

/** Units in the only part, and in each part of several: those carry a header of 6 octets. */
const GSM7_UNITS = { single: 160, part: 153 };
const UCS2_UNITS = { single: 70, part: 67 };

/**
 * Encoding and number of parts of an SMS text, by GSM 03.38 without national shift tables. Parts are filled greedily; neither an ESC pair nor a
 * surrogate pair is split over two parts, which can cost a part more than dividing the length would say.
 *
 * @example measureSms('10 €') // { encoding: 'gsm7', segments: 1, ucs2Characters: [] }
 */
export function measureSms(text: string): SmsMeasure {
  let septets = 0;
  for (let i = 0; i < text.length; i++) {
    const weight = SEPTETS[text.charCodeAt(i)]!;
    if (weight === 0) return { encoding: 'ucs2', segments: ucs2Segments(text), ucs2Characters: outsideGsm(text) };
    septets += weight;
  }
  return { encoding: 'gsm7', segments: gsm7Segments(text, septets), ucs2Characters: [] };
}

function gsm7Segments(text: string, septets: number): number {
  if (septets <= GSM7_UNITS.single) return 1;
  let segments = 1;
  let used = 0;
  for (let i = 0; i < text.length; i++) {
    const weight = SEPTETS[text.charCodeAt(i)]!;
    if (used + weight > GSM7_UNITS.part) {
      segments++;
      used = 0;
    }
    used += weight;
  }
  return segments;
}

function ucs2Segments(text: string): number {
  if (text.length <= UCS2_UNITS.single) return 1;
  let segments = 0;
  for (let at = 0; at < text.length; segments++) {
    at += UCS2_UNITS.part;
    if (at < text.length && isLowSurrogate(text.charCodeAt(at)) && isHighSurrogate(text.charCodeAt(at - 1))) at--;
  }
  return segments;
}

function outsideGsm(text: string): string[] {
  const found = new Set<string>();
  for (const char of text) if (SEPTETS[char.charCodeAt(0)] === 0) found.add(char);
  return [...found];
}

const isHighSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xd800;
const isLowSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;
