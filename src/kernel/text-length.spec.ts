import { isLongerThan } from './text-length';

describe('isLongerThan', () => {
  it.each<[string, number, boolean]>([
    ['', 0, false],
    ['abc', 3, false],
    ['abcd', 3, true],
    ['🙂🙂🙂', 3, false],
    ['🙂🙂🙂a', 3, true],
    ['\ud83dabc', 3, true],
  ])('%j and %d', (text, characters, longer) => {
    expect(isLongerThan(text, characters)).toBe(longer);
  });
});
