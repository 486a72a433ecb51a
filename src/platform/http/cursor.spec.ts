import fc from 'fast-check';
import { decodeCursor, encodeCursor } from './cursor';

describe('cursors', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));

  it('come back as they went out', () => {
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 4 }), (list, key) => {
        const cursor = encodeCursor(list, ...key);
        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodeCursor(cursor, list, key.length)).toEqual(key);
      }),
    );
  });

  it('are refused when anything about them is different', () => {
    const cursor = encodeCursor('messages', 'msg_1', 'x');
    const packed = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const wrong = [
      '',
      'x',
      `${cursor}=`,
      ` ${cursor}`,
      cursor.slice(0, -1),
      packed(null),
      packed({}),
      packed([2, 'messages', 'msg_1', 'x']),
      packed([1, 'keys', 'msg_1', 'x']),
      packed([1, 'messages', 'msg_1']),
      packed([1, 'messages', 'msg_1', 5]),
      packed([1, 'messages', 'msg_1', 'a\0']),
      packed([1, 'messages', 'msg_1', 'a\ud800']),
    ];
    for (const one of wrong) {
      expect(() => decodeCursor(one, 'messages', 2)).toThrow('cursor: is not a cursor of this list');
    }
    expect(() => decodeCursor(cursor, 'messages', 1)).toThrow('cursor: is not a cursor of this list');
  });
});
