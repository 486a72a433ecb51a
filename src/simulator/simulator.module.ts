import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { PublicUrl } from '../config/public-url';
import { ConfigDirectory } from '../gateway/configs/config-directory';
import { STAND_IN_HOST, type SimulatedAccount } from '../gateway/contracts/simulator';
import { needsUrlToken } from '../gateway/gateway-calls';
import { ProviderRegistry } from '../gateway/provider-registry';
import { SimulatorAddress } from '../gateway/simulator-address';
import { MailStandIn } from '../platform/mailer/mail-stand-in';
import { Simulator } from './simulator';
import { SimulatorController } from './simulator.controller';

/** Its stand-in takes the mails of the service too, while the operator has set no mail server. */
const MAIL_PROVIDER = 'smtp';

// Runs the providers' stand-ins on a loopback port and tells the gateways where they are. Part of the application only while the simulator is on.
// Owns what the stand-ins received. Must not know messages or tenants: it sees what a provider sees. Of
// configs it asks for nothing but what their owners would have typed into the provider's console.
@Module({
  controllers: [SimulatorController],
  providers: [
    {
      provide: Simulator,
      inject: [ProviderRegistry, SimulatorAddress, ConfigDirectory, PublicUrl, MailStandIn],
      useFactory: async (
        registry: ProviderRegistry,
        address: SimulatorAddress,
        directory: ConfigDirectory,
        publicUrl: PublicUrl,
        mail: MailStandIn,
      ) => {
        const socketProviders = registry.all().filter(({ simulator: { listen } }) => listen !== undefined);
        const simulator = await Simulator.start({
          standIn: (provider) => registry.get(provider)?.simulator,
          accounts: (provider, account) => accountsOf(directory, publicUrl, registry, provider, account),
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

async function accountsOf(
  directory: ConfigDirectory,
  publicUrl: PublicUrl,
  registry: ProviderRegistry,
  provider: string,
  account: string,
): Promise<SimulatedAccount[]> {
  const definition = registry.require(provider);
  const { slug } = definition;
  const found = await directory.findForCallback(slug, { account });
  return found.map(({ config, secrets }) => ({
    credentials: Object.fromEntries(
      Object.entries(secrets.credentials).map(([name, secret]) => [name, secret?.reveal()]),
    ),
    settings: config.settings,
    callbackUrl: (kind) => {
      const url = `${publicUrl.get()}/webhook/${slug}/${kind}/${config.id}`;
      if (!needsUrlToken(definition, kind, secrets.credentials)) return url;
      return `${url}?token=${encodeURIComponent(secrets.urlToken.reveal())}`;
    },
  }));
}
