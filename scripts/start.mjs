// npm start: builds what is stale, then becomes the service. The service runs in this very process, so a signal to it is
// a signal to the service.
import { pathToFileURL } from 'node:url';
import { MAIN, ensureBuilt } from './build.mjs';
import { exitPlainly, useLockedNode } from './runtime.mjs';

try {
  await useLockedNode();
  await ensureBuilt({ log: console.log });
} catch (error) {
  exitPlainly(error);
}
await import(pathToFileURL(MAIN).href);
