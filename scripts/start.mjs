// npm start: builds what is stale, then becomes the service. The service runs in this very process, so a signal to it is
// a signal to the service.
import { constants } from 'node:os';
import { pathToFileURL } from 'node:url';
import { MAIN, ensureBuilt } from './build.mjs';
import { exitPlainly, useLockedNode } from './runtime.mjs';

/** Signals within this time of the first one are the same wish. */
const SAME_WISH_MS = 1500;

/**
 * Ctrl-C reaches this process twice, from the terminal and again from npm. The service ends cleanly on the first; the
 * echo must not cut it short, while an impatient person's later one must end the process at once.
 */
function takeSignals() {
  let first;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      const now = performance.now();
      const isHandled = first !== undefined || process.listenerCount(signal) > 1;
      first ??= now;
      if (!isHandled || now - first > SAME_WISH_MS) process.exit(128 + constants.signals[signal]);
    });
  }
}

// Names that tenants give are looked up by threads, four at a time; the rest of the service needs some besides. Takes effect before the first is used.
process.env.UV_THREADPOOL_SIZE ??= '16';

try {
  await useLockedNode();
  await ensureBuilt({ log: console.log });
} catch (error) {
  exitPlainly(error);
}
takeSignals();
await import(pathToFileURL(MAIN).href);
