/**
 * The simulator as a process of its own, for benchmarks and for tests of clients:
 * `node dist/src/simulator.main.js [--port 4010] [--callback-delay 50] [--callback-concurrency 32]`.
 * Prints one line of JSON with each provider's base URL when it listens. SIGTERM and SIGINT end it.
 */
import { parseArgs } from 'node:util';
import { SMS_PROVIDERS } from './channels/sms/sms.providers';
import { WHATSAPP_PROVIDERS } from './channels/whatsapp/whatsapp.providers';
import { Simulator } from './simulator/simulator';

const PROVIDERS = [...SMS_PROVIDERS, ...WHATSAPP_PROVIDERS];

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
    port: Number(values.port),
    callbackDelayMs: Number(values['callback-delay']),
    callbackConcurrency: Number(values['callback-concurrency']),
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.close());
  const baseUrls = Object.fromEntries(PROVIDERS.map(({ key }) => [key, simulator.baseUrl(key)]));
  process.stdout.write(`${JSON.stringify({ base_urls: baseUrls })}\n`);
}

void main();
