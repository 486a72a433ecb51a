import fc from 'fast-check';
import { jsonErrorPosition } from './json-position';
import { MAX_JSON_NODES, parseJsonObject } from './json-body';

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

/** Whether each key and each text can be stored, and no key is `__proto__`; as a text it is one like any other. */
function isAcceptable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (value === null || typeof value !== 'object') return true;
  if (Array.isArray(value)) return value.every(isAcceptable);
  return Object.entries(value).every(
    ([key, member]) => key !== '__proto__' && isAcceptable(key) && isAcceptable(member),
  );
}

describe('parseJsonObject', () => {
  it.each([
    ['{"":[["__proto__"]]}', { '': [['__proto__']] }],
    ['{"a":"\\\\u0000"}', { a: '\\u0000' }],
    ['{"a":"\\u00e5\\ud83d\\ude00"}', { a: 'å😀' }],
  ])('takes %j', (text, value) => {
    expect(parseJsonObject(Buffer.from(text))).toEqual(value);
  });

  it('refuses more objects and lists than any use needs, wherever they are', () => {
    const lists = (count: number) => Buffer.from(`{"a":[${'[],'.repeat(count - 1)}[]]}`);
    expect(parseJsonObject(lists(MAX_JSON_NODES - 2))).toHaveProperty('a');
    expect(() => parseJsonObject(lists(MAX_JSON_NODES - 1))).toThrow(
      expect.objectContaining({
        status: 400,
        options: expect.objectContaining({ errors: [expect.objectContaining({ field: 'body', code: 'too_many' })] }),
      }),
    );
  });

  it('answers what JSON.parse does, for every storable object that is not too deep', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })), (value) => {
        const text = JSON.stringify(value);
        const parse = () => parseJsonObject(Buffer.from(text));
        if (isAcceptable(JSON.parse(text))) expect(parse()).toEqual(JSON.parse(text));
        else expect(parse).toThrow();
      }),
    );
  });
});
