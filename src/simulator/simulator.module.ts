import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { PublicUrl } from '../config/public-url';
import { ConfigDirectory } from '../gateway/configs/config-directory';
import { STAND_IN_HOST } from '../gateway/contracts/simulator';
import { ProviderRegistry } from '../gateway/provider-registry';
import { SimulatorAddress } from '../gateway/simulator-address';
import { HttpClientModule } from '../platform/http-client/http-client.module';
import { SsrfGuard } from '../platform/http-client/ssrf-guard';
import { MailStandIn } from '../platform/mailer/mail-stand-in';
import { CallbackClient } from './callback-client';
import { simulatedAccount } from './simulated-account';
import { SimulatedInboundService } from './simulated-inbound.service';
import { CALLBACK_CONCURRENCY, Simulator } from './simulator';
import { SimulatorController } from './simulator.controller';

/** Its stand-in takes the mails of the service too, while the operator has set no mail server. */
const MAIL_PROVIDER = 'smtp';

// Runs the providers' stand-ins on a loopback port and tells the gateways where they are. Part of the application only while the simulator is on.
// Owns what the stand-ins received. Must not know messages or tenants: it sees what a provider sees. Of
// configs and numbers it asks for nothing but what their owners would have typed into the provider's console.
@Module({
  imports: [HttpClientModule],
  controllers: [SimulatorController],
  providers: [
    SimulatedInboundService,
    {
      provide: Simulator,
      inject: [ProviderRegistry, SimulatorAddress, ConfigDirectory, PublicUrl, MailStandIn, SsrfGuard],
      useFactory: async (
        registry: ProviderRegistry,
        address: SimulatorAddress,
        directory: ConfigDirectory,
        publicUrl: PublicUrl,
        mail: MailStandIn,
        guard: SsrfGuard,
      ) => {
        const socketProviders = registry.all().filter(({ simulator: { listen } }) => listen !== undefined);
        const simulator = await Simulator.start({
          standIn: (provider) => registry.get(provider)?.simulator,
          accounts: async (provider, account) => {
            const definition = registry.require(provider);
            const found = await directory.findForCallback(definition.slug, { account });
            return found.map((one) => simulatedAccount(definition, one, publicUrl.get()));
          },
          callbackClient: new CallbackClient(() => publicUrl.get(), guard, CALLBACK_CONCURRENCY),
          socketProviders: socketProviders.map(({ key }) => key),
        });
        address.listening((provider) => simulator.baseUrl(provider), simulator.socketPorts());
        const mailPort = simulator.socketPorts().get(MAIL_PROVIDER);
        if (mailPort !== undefined) mail.listening(STAND_IN_HOST, mailPort);
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
