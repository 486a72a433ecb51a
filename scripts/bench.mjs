// npm run bench: builds the service and the benchmark, then measures. Everything runs on loopback and ends with this process.
// `npm run bench -- --help` tells the options.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt } from './build.mjs';
import { ROOT, exitPlainly, useLockedNode } from './runtime.mjs';

const SOURCE = join(ROOT, 'bench');
const TARGET = join(ROOT, 'dist', 'bench');

/** The benchmark is no part of the service, so the service's build leaves it out; it is compiled with the same settings. */
async function compileBench() {
  const { transform } = await import('@swc/core');
  const settings = JSON.parse(readFileSync(join(ROOT, '.swcrc'), 'utf8'));
  delete settings.$schema;
  rmSync(TARGET, { recursive: true, force: true });
  const files = readdirSync(SOURCE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of files) {
    const { code } = await transform(readFileSync(file, 'utf8'), {
      ...settings,
      swcrc: false,
      sourceMaps: 'inline',
      filename: file,
    });
    const out = join(TARGET, relative(SOURCE, file)).replace(/[.]ts$/, '.js');
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, code);
  }
}

try {
  await useLockedNode();
  await ensureBuilt({ log: console.log });
  await compileBench();
} catch (error) {
  exitPlainly(error);
}
const { main } = await import(pathToFileURL(join(TARGET, 'bench.main.js')).href);
await main(process.argv.slice(2));
