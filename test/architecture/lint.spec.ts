import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const later = 'const later = async (): Promise<boolean> => true;\n';

/** Files of a small project, and the lint rule that each one breaks; none where a rule must not speak. */
const FILES: Record<string, { breaks: string[]; code: string }> = {
  'src/ops/reads-env.ts': { breaks: ['node(no-process-env)'], code: 'export const port = process.env.PORT;' },
  'src/config/app-config.ts': { breaks: [], code: 'export const port = process.env.PORT;' },
  'src/ops/reads-env.spec.ts': { breaks: [], code: "test('x', () => expect(process.env.PORT).toBeDefined());" },
  'src/ops/fetches.ts': { breaks: ['eslint(no-restricted-globals)'], code: "export const answer = fetch('http://x');" },
  'src/platform/http-client/fetches.ts': { breaks: [], code: "export const answer = fetch('http://x');" },
  'src/ops/floats.ts': {
    breaks: ['typescript(no-floating-promises)'],
    code: `${later}export function go(): void {\n  later();\n}`,
  },
  'src/ops/misuses.ts': {
    breaks: ['typescript(no-misused-promises)'],
    code: `${later}export function go(): number {\n  return later() ? 1 : 2;\n}`,
  },
  'src/ops/awaits.ts': {
    breaks: ['typescript(await-thenable)'],
    code: 'export async function go(n: number): Promise<number> {\n  return await n;\n}',
  },
  'src/ops/forgets-a-case.ts': {
    breaks: ['typescript(switch-exhaustiveness-check)'],
    code: "export function go(word: 'a' | 'b'): void {\n  switch (word) {\n    case 'a':\n      throw new Error(word);\n  }\n}",
  },
  'src/ops/any.ts': { breaks: ['typescript(no-explicit-any)'], code: 'export const x: any = 1;' },
  'src/ops/prints.ts': { breaks: ['eslint(no-console)'], code: "console.log('x');\nexport {};" },
  'src/main.ts': { breaks: [], code: "console.log('x', process.env.PORT);\nexport {};" },
  'src/ops/BadName.ts': { breaks: ['unicorn(filename-case)'], code: 'export const x = 1;' },
  'src/ops/focused.spec.ts': {
    breaks: ['jest(no-focused-tests)'],
    // In two parts, since another spec looks for the whole in every file.
    code: `${'test.'}only('x', () => expect(1).toBe(1));`,
  },
  'src/ops/calls-only.spec.ts': {
    breaks: ['jest(expect-expect)'],
    code: "import http from 'supertest';\ntest('x', async () => {\n  await http('http://x').get('/');\n});",
  },
  'src/ops/expects-status.spec.ts': {
    breaks: [],
    code: "import http from 'supertest';\ntest('x', async () => {\n  await http('http://x').get('/').expect(200);\n});",
  },
  'src/ops/asserts-nothing.spec.ts': { breaks: ['jest(expect-expect)'], code: "test('x', () => undefined);" },
};

describe('the lint rules', () => {
  let directory: string;
  let found: Record<string, string[]>;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'unimsg-lint-'));
    for (const [file, { code }] of Object.entries(FILES)) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      writeFileSync(join(directory, file), `${code}\n`);
    }
    for (const name of ['.oxlintrc.json', 'tsconfig.json']) copyFileSync(join(ROOT, name), join(directory, name));
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    const args = [
      join(ROOT, 'node_modules', '.bin', 'oxlint'),
      '--type-aware',
      '--disable-nested-config',
      '--format',
      'json',
      'src',
    ];
    const run = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8', maxBuffer: 1 << 26 });
    const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: { code: string; filename: string }[] };
    found = {};
    for (const { code, filename } of diagnostics) (found[filename] ??= []).push(code);
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(Object.entries(FILES))('%s', (file, { breaks }) => {
    expect([...new Set(found[file] ?? [])]).toEqual(breaks);
  });
});
