/** The providers' stand-ins as a process of their own: their work must not count as the service's. */
import { PROVIDERS, SOCKET_PROVIDERS } from '../src/providers';
import { Simulator } from '../src/simulator/simulator';
import { serveParent } from './child';

export interface SimulatorStats {
  baseUrl: string;
  received: number;
  unfinished: number;
}

/** Where each provider's stand-in is: a base URL, or a port on loopback for one that is not reached by HTTP. */
export interface StandInAddresses {
  baseUrls: Readonly<Record<string, string>>;
  ports: Readonly<Record<string, number>>;
}

const standIns = new Map(PROVIDERS.map((definition) => [definition.key, definition.simulator]));
const started = Simulator.start({
  standIn: (provider) => standIns.get(provider),
  socketProviders: SOCKET_PROVIDERS,
  callbackConcurrency: 256,
});

serveParent<{ type: 'stats' | 'addresses' }>(
  async ({ type }) => {
    const simulator = await started;
    if (type === 'addresses') {
      const baseUrls = Object.fromEntries(PROVIDERS.map(({ key }) => [key, simulator.baseUrl(key)]));
      return { baseUrls, ports: Object.fromEntries(simulator.socketPorts()) } satisfies StandInAddresses;
    }
    const { received, unfinished } = simulator.stats();
    return { baseUrl: simulator.baseUrl('twilio'), received, unfinished } satisfies SimulatorStats;
  },
  async () => (await started).close(),
);
