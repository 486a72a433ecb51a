import { resolve } from 'node:path';
import { quirksIn, quirksOf } from './provider-quirks';
import { PROVIDERS } from './providers';

const ROOT = resolve(__dirname, '..');

describe('quirks', () => {
  it.each([
    ['a line', 'const a = 1;\n  // Quirk: it lies (docs, 2026-11).\nconst b = 2;', ['it lies (docs, 2026-11).']],
    [
      'lines',
      '// Quirk: it lies\n// often (docs, 2026-11). Hence\n// the loop.\nx();',
      ['it lies often (docs, 2026-11).'],
    ],
    [
      'a block',
      '/**\n * Reads it. Quirk: it lies\n * (docs, 2026-11). Null when not.\n */',
      ['it lies (docs, 2026-11).'],
    ],
    ['two in one', '/** Quirk: a (x, 2026-11). Quirk: b (y, 2025). */', ['a (x, 2026-11).', 'b (y, 2025).']],
    ['one without a source', '// Quirk: it lies.\n\n// Another comment.', ['it lies.']],
    ['a comment behind code', 'f(); // Quirk: it lies.\n', ['it lies.']],
    ['no comment', "const url = 'https://x'; const q = 'Quirk';", []],
  ])('are found in %s', (_, source, expected) => expect(quirksIn(source)).toEqual(expected));

  it('of a provider are those of its own files, and of none of another provider', () => {
    const twilio = PROVIDERS.find(({ key }) => key === 'twilio')!;
    const files = new Set(quirksOf(twilio, ROOT).map(({ file }) => file));
    expect(files.size).toBeGreaterThan(1);
    for (const file of files) expect(file).toMatch(/twilio/);
  });

  it.each(PROVIDERS.map((definition) => [definition.key, definition] as const))(
    'of %s can be read',
    (_, definition) => {
      for (const { text } of quirksOf(definition, ROOT)) expect(text.length).toBeGreaterThan(10);
    },
  );
});
