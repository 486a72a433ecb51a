import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const SRC = resolve(__dirname, '../../src');

const modules = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !/[.-]spec\.ts$|(?:^|\.)main\.ts$/.test(file))
  .sort();

// Types and lint do not see a class that a decorator uses above its declaration. Loading the file does.
test.each(modules)('%s can be loaded', async (file) => {
  expect(await import(join(SRC, file))).toBeDefined();
});
