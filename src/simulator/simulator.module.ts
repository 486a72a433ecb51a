import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { ProviderRegistry } from '../gateway/provider-registry';
import { SimulatorAddress } from '../gateway/simulator-address';
import { Simulator } from './simulator';
import { SimulatorController } from './simulator.controller';

// Runs the providers' stand-ins on a loopback port and tells the gateways where they are. Part of the application only while the simulator is on.
// Owns what the stand-ins received. Must not know messages, tenants or configs: it sees what a provider sees.
@Module({
  controllers: [SimulatorController],
  providers: [
    {
      provide: Simulator,
      inject: [ProviderRegistry, SimulatorAddress],
      useFactory: async (registry: ProviderRegistry, address: SimulatorAddress) => {
        const socketProviders = registry.all().filter(({ simulator: { listen } }) => listen !== undefined);
        const simulator = await Simulator.start({
          standIn: (provider) => registry.get(provider)?.simulator,
          socketProviders: socketProviders.map(({ key }) => key),
        });
        address.listening((provider) => simulator.baseUrl(provider), simulator.socketPorts());
        return simulator;
      },
    },
  ],
  exports: [Simulator],
})
export class SimulatorModule implements OnApplicationShutdown {
  constructor(private readonly simulator: Simulator) {}

  async onApplicationShutdown(): Promise<void> {
    await this.simulator.close();
  }
}
