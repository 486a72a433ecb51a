/** The providers' stand-ins as a process of their own: their work must not count as the service's. */
import { SMS_PROVIDERS } from '../src/channels/sms/sms.providers';
import { Simulator } from '../src/simulator/simulator';
import { serveParent } from './child';

export interface SimulatorStats {
  baseUrl: string;
  received: number;
  unfinished: number;
}

const standIns = new Map(SMS_PROVIDERS.map((definition) => [definition.key, definition.simulator]));
const started = Simulator.start({ standIn: (provider) => standIns.get(provider), callbackConcurrency: 256 });

serveParent<{ type: 'stats' }>(
  async () => {
    const simulator = await started;
    const { received, unfinished } = simulator.stats();
    return { baseUrl: simulator.baseUrl('twilio'), received, unfinished } satisfies SimulatorStats;
  },
  async () => (await started).close(),
);
