const BITS_PER_ITEM = 10;
const HASHES = 7;

/** Says of a text that it was never added, for certain, or that it may have been: wrongly for about one in a hundred. Ten bits a text. */
export class BloomFilter {
  private readonly words: Uint32Array;
  private readonly bits: number;
  private items = 0;

  /** @param capacity as many texts as it keeps its rate of errors for */
  constructor(readonly capacity: number) {
    this.words = new Uint32Array(Math.max(2, Math.ceil((capacity * BITS_PER_ITEM) / 32)));
    this.bits = this.words.length * 32;
  }

  get size(): number {
    return this.items;
  }

  get bytes(): number {
    return this.words.byteLength;
  }

  add(text: string): void {
    const [first, step] = hashes(text);
    for (let i = 0; i < HASHES; i++) {
      const bit = (first + i * step) % this.bits;
      this.words[bit >>> 5]! |= 1 << (bit & 31);
    }
    this.items += 1;
  }

  mayHave(text: string): boolean {
    const [first, step] = hashes(text);
    for (let i = 0; i < HASHES; i++) {
      const bit = (first + i * step) % this.bits;
      if ((this.words[bit >>> 5]! & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}

/** Two independent hashes; all others are made of them (Kirsch and Mitzenmacher). */
function hashes(text: string): [number, number] {
  let one = 0xdeadbeef;
  let two = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    one = Math.imul(one ^ code, 2654435761);
    two = Math.imul(two ^ code, 1597334677);
  }
  one = Math.imul(one ^ (one >>> 16), 2246822507) ^ Math.imul(two ^ (two >>> 13), 3266489909);
  two = Math.imul(two ^ (two >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909);
  return [one >>> 0, (two | 1) >>> 0];
}
