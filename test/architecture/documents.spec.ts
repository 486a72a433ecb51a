import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const page = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
const invariants = page
  .slice(page.indexOf('## Invariants'), page.indexOf('## Tables'))
  .split(/^(?=\d+\. )/m)
  .slice(1)
  .map((text) => text.replace(/\s+/g, ' ').trim());

describe('the invariants in ARCHITECTURE.md', () => {
  test('are numbered without a gap', () => {
    expect(invariants.map((text) => Number(text.split('.')[0]))).toEqual(invariants.map((_, index) => index + 1));
    expect(invariants.length).toBeGreaterThan(10);
  });

  test.each(invariants)('%s', (text) => {
    const specs = [...text.matchAll(/\]\(([^)]+[.-]spec\.ts)\)(?:: “([^”]+)”)?/g)];
    expect(specs.length).toBeGreaterThan(0);
    for (const [, file, title] of specs) {
      expect(existsSync(join(ROOT, file!))).toBe(true);
      if (title !== undefined) expect(readFileSync(join(ROOT, file!), 'utf8')).toContain(title);
    }
  });
});
