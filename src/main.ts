import { ConfigurationError } from './config/app-config';
import { DataDirectoryInUse } from './platform/database/data-directory';
import { startProcess, StartRefused } from './process';

/** Starts the service, or says in one line why not. */
async function main(): Promise<void> {
  const running = await startProcess(process.env);
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    // A second signal changes nothing: npm hands one Ctrl-C of a terminal on twice.
    if (stopping) return;
    stopping = true;
    running.logger.info({ signal }, 'stopping');
    running.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        running.logger.error({ err: error }, 'did not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

main().catch((error: unknown) => {
  if (error instanceof ConfigurationError || error instanceof StartRefused || error instanceof DataDirectoryInUse) {
    process.stderr.write(`unimsg: ${error.message}\n`);
  } else {
    process.stderr.write(
      `unimsg: could not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  }
  process.exit(1);
});
