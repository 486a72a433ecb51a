import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { CannotOpen, SecretBox } from './secret-box';

const keyA = `a:${randomBytes(32).toString('base64')}`;
const keyB = `b:${randomBytes(32).toString('base64')}`;

describe('SecretBox', () => {
  it('opens what it sealed, for any text and context', () => {
    const box = new SecretBox(keyA);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.string(), (plain, context) => {
        expect(box.open(box.seal(plain, context), context).reveal()).toBe(plain);
      }),
    );
  });

  it('seals the same text differently each time and never shows it', () => {
    const box = new SecretBox(keyA);
    const first = box.seal('auth-token-1', 'row');
    expect(first).not.toBe(box.seal('auth-token-1', 'row'));
    expect(Buffer.from(first.split('.')[2]!, 'base64url').toString('latin1')).not.toContain('auth-token-1');
    expect(inspect(box.open(first, 'row'))).toBe('[secret]');
  });

  it('does not open a value that was moved to another row', () => {
    const box = new SecretBox(keyA);
    const sealed = box.seal('secret', 'secrets:acme_1:sec_1');
    expect(() => box.open(sealed, 'secrets:other_1:sec_1')).toThrow(CannotOpen);
  });

  it('does not open a value with any one bit changed', () => {
    const box = new SecretBox(keyA);
    const [, , body] = box.seal('secret', 'c').split('.');
    const bytes = Buffer.from(body!, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => box.open(`v1.a.${changed.toString('base64url')}`, 'c')).toThrow(CannotOpen);
    }
  });

  it('opens what an older key of the ring sealed, and seals with the first', () => {
    const old = new SecretBox(keyA).seal('secret', 'c');
    const rotated = new SecretBox(`${keyB},${keyA}`);
    expect(rotated.open(old, 'c').reveal()).toBe('secret');
    const fresh = rotated.seal('secret', 'c');
    expect(fresh).toMatch(/^v1\.b\./);
    expect(() => new SecretBox(keyA).open(fresh, 'c')).toThrow('no key "b"');
  });

  it.each(['', 'v1', 'v1.a', 'v1.a.', 'v1.a.AAAA', 'v2.a.AAAA', 'v1.a.AAAA.b', 'plain text'])(
    'refuses %j as a sealed text',
    (text) => {
      expect(() => new SecretBox(keyA).open(text, 'c')).toThrow(CannotOpen);
    },
  );

  it('refuses a ring with a key of another length', () => {
    expect(() => new SecretBox(`a:${randomBytes(16).toString('base64')}`)).toThrow('key ring');
  });
});
