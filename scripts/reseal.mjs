// npm run reseal: builds what is stale, then seals every stored secret with the first key of UNIMSG_ENCRYPTION_KEYS.
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MAIN, ensureBuilt } from './build.mjs';
import { exitPlainly, useLockedNode } from './runtime.mjs';

try {
  await useLockedNode();
  await ensureBuilt({ log: console.log });
} catch (error) {
  exitPlainly(error);
}
await import(pathToFileURL(join(dirname(MAIN), 'reseal.main.js')).href);
