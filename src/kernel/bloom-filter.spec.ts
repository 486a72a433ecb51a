import fc from 'fast-check';
import { BloomFilter } from './bloom-filter';

describe('BloomFilter', () => {
  it('never denies what was added', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 200 }), (texts) => {
        const filter = new BloomFilter(texts.length);
        for (const text of texts) filter.add(text);
        expect(texts.filter((text) => !filter.mayHave(text))).toEqual([]);
      }),
    );
  });

  it('is rarely wrong about what was not, for texts that are much alike', () => {
    const filter = new BloomFilter(20_000);
    for (let i = 0; i < 20_000; i++) filter.add(`sms/+39333${1_000_000 + i}`);
    let denied = 0;
    for (let i = 0; i < 20_000; i++) {
      expect(filter.mayHave(`sms/+39333${1_000_000 + i}`)).toBe(true);
      if (!filter.mayHave(`sms/+39334${1_000_000 + i}`)) denied += 1;
    }
    expect(denied).toBeGreaterThan(19_600);
    expect(filter.size).toBe(20_000);
    expect(filter.bytes).toBe(25_000);
  });
});
