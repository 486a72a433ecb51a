// npm run docs: writes the generated pages. With --check it writes nothing and fails when a page is not what it would write.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { PlainError, ROOT, exitPlainly, useLockedNode } from './runtime.mjs';

/** Each page: where it goes, and the compiled module and function that make its text. */
const PAGES = [
  { file: 'docs/configuration.md', module: 'config/configuration-page.js', make: 'configurationPage' },
  { file: 'docs/providers.md', module: 'providers-page.js', make: 'providersPage' },
  { file: 'docs/openapi.json', module: 'openapi-page.js', make: 'openApiPage' },
];

async function main() {
  await useLockedNode();
  await ensureBuilt();
  const require = createRequire(join(ROOT, 'dist', 'src', 'main.js'));
  const isCheck = process.argv.includes('--check');
  const stale = [];
  for (const page of PAGES) {
    const text = await require(join(ROOT, 'dist', 'src', page.module))[page.make](ROOT);
    const file = join(ROOT, page.file);
    if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
    stale.push(relative(ROOT, file));
    if (isCheck) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`Wrote ${page.file}`);
  }
  if (isCheck && stale.length > 0) {
    throw new PlainError(`Out of date: ${stale.join(', ')}. Run npm run docs and commit the result.`);
  }
}

await main().catch(exitPlainly);
