/**
 * The simulator as a process of its own, for benchmarks and for tests of clients:
 * `node dist/src/simulator.main.js [--port 4010] [--callback-delay 50] [--callback-concurrency 32]`.
 * Prints one line of JSON when it listens: each provider's base URL, and the loopback port of each that is not reached by HTTP. SIGTERM and
 * SIGINT end it.
 */
import { parseArgs } from 'node:util';
import { PROVIDERS, SOCKET_PROVIDERS } from './providers';
import { Simulator } from './simulator/simulator';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      'callback-delay': { type: 'string', default: '50' },
      'callback-concurrency': { type: 'string', default: '32' },
    },
  });
  const standIns = new Map(PROVIDERS.map((definition) => [definition.key, definition.simulator]));
  const simulator = await Simulator.start({
    standIn: (provider) => standIns.get(provider),
    socketProviders: SOCKET_PROVIDERS,
    port: Number(values.port),
    callbackDelayMs: Number(values['callback-delay']),
    callbackConcurrency: Number(values['callback-concurrency']),
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.close());
  const overHttp = PROVIDERS.filter(({ baseUrl }) => baseUrl !== null);
  const baseUrls = Object.fromEntries(overHttp.map(({ key }) => [key, simulator.baseUrl(key)]));
  const ports = Object.fromEntries(simulator.socketPorts());
  process.stdout.write(`${JSON.stringify({ base_urls: baseUrls, ports })}\n`);
}

void main();
