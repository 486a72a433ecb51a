/** UniMsg as a process of its own, started as `npm start` starts it. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { startProcess } from '../src/process';
import { serveParent } from './child';

export type ServiceCommand =
  | { type: 'url' }
  | { type: 'memory'; collect: boolean }
  | { type: 'profile-start' }
  | { type: 'profile-stop'; file: string };

export interface MemoryUse {
  rss: number;
  heap: number;
}

// Only what the parent chose is in this environment.
// oxlint-disable-next-line node/no-process-env
const started = startProcess(process.env, { quiet: true });
// Whoever asks hears of a failure; until then it must not end the process.
started.catch(() => {});

serveParent<ServiceCommand>(
  async (command) => {
    const { url } = await started;
    switch (command.type) {
      case 'url':
        return url;
      case 'memory': {
        if (command.collect) globalThis.gc?.();
        const { rss, heapUsed } = process.memoryUsage();
        return { rss, heap: heapUsed } satisfies MemoryUse;
      }
      case 'profile-start':
        await startProfile();
        return null;
      case 'profile-stop':
        await stopProfile(command.file);
        return null;
    }
  },
  async () => (await started).stop(),
);

let session: Session | undefined;

async function startProfile(): Promise<void> {
  session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 500 });
  await session.post('Profiler.start');
}

async function stopProfile(file: string): Promise<void> {
  const { profile } = await session!.post('Profiler.stop');
  session!.disconnect();
  writeFileSync(file, JSON.stringify(profile));
}
