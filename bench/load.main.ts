/** The load generator as a process of its own, told what to do over the IPC channel. */
import { LoadGenerator } from './load-generator';
import type { LoadCommand } from './load.types';
import { serveParent } from './child';

let running: LoadGenerator | undefined;

serveParent<LoadCommand>(async (command) => {
  switch (command.type) {
    case 'run':
      running = new LoadGenerator(command.job);
      return running.run();
    case 'rate':
      running?.setRate(command.rate);
      return null;
    case 'progress':
      return running?.accepted ?? 0;
  }
});
