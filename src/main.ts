import { ConfigurationError } from './config/app-config';
import { DataDirectoryUnusable } from './platform/database/data-directory';
import { type RunningProcess, startProcess } from './process';
import { StartRefused } from './start-refused';

/** Signals within this time of the first one are the same wish: npm hands one Ctrl-C of a terminal on twice. */
const SAME_WISH_MS = 1_500;

/** Starts the service, or says in one line why not. */
async function main(): Promise<void> {
  const state: { service?: RunningProcess; askedAt?: number } = {};
  const end = (service: RunningProcess) => {
    service.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        service.logger.error({ err: error }, 'did not stop cleanly');
        process.exit(1);
      },
    );
  };
  const stop = (signal: NodeJS.Signals) => {
    if (state.askedAt === undefined) {
      state.askedAt = performance.now();
      state.service?.logger.info({ signal }, 'stopping');
      // A start under way is finished first, so that all that it made can be unmade.
      if (state.service) end(state.service);
    } else if (!state.service && performance.now() - state.askedAt > SAME_WISH_MS) {
      process.exit(1);
    }
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  state.service = await startProcess(process.env);
  if (state.askedAt !== undefined) end(state.service);
}

main().catch((error: unknown) => {
  if (error instanceof ConfigurationError || error instanceof StartRefused || error instanceof DataDirectoryUnusable) {
    process.stderr.write(`unimsg: ${error.message}\n`);
  } else {
    process.stderr.write(
      `unimsg: could not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  }
  process.exit(1);
});
