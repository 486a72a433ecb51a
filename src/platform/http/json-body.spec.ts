import fc from 'fast-check';
import { jsonErrorPosition } from './json-position';
import { parseJsonObject } from './json-body';

describe('jsonErrorPosition', () => {
  it.each([
    ['', 0],
    ['{', 1],
    ['{"a"', 4],
    ['{"a":}', 5],
    ['{"a":1,}', 7],
    ['{,}', 1],
    ['[1,]', 3],
    ['[1 2]', 3],
    ['{"a":1}}', 7],
    ['{"a":tru}', 5],
    ['{"a":01}', 6],
    ['{"a":"x\ny"}', 7],
    ['{"a":"\\x"}', 6],
    ['{"a":"\\u12g4"}', 6],
    ["{'a':1}", 1],
    ['\uFEFF{}', 0],
    ['nul', 0],
  ])('finds the first wrong character of %j', (text, position) => {
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
    expect(jsonErrorPosition(text)).toBe(position);
  });

  it('walks over all that is JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(jsonErrorPosition(text)).toBe(text.length === 0 ? 0 : text.length);
      }),
    );
  });

  it('does not care how long or deep a text is', () => {
    const long = `{"a":"${'\\n'.repeat(300_000)}`;
    expect(jsonErrorPosition(long)).toBe(long.length);
    expect(jsonErrorPosition('['.repeat(300_000))).toBe(300_000);
  });
});

describe('parseJsonObject', () => {
  it('answers what JSON.parse does, for every storable object that is not too deep', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })), (value) => {
        const text = JSON.stringify(value);
        const clean = !/\\u0000|\\ud[89a-f]|__proto__/i.test(text);
        const parse = () => parseJsonObject(Buffer.from(text));
        if (clean) expect(parse()).toEqual(JSON.parse(text));
        else expect(parse).toThrow();
      }),
    );
  });
});
