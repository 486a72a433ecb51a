import type { INestApplication } from '@nestjs/common';
import { ConfigService } from './gateway/configs/config.service';
import { ProviderRegistry } from './gateway/provider-registry';
import { GatewayRoutesService } from './gateway/routing/gateway-routes.service';
import { NumbersService } from './numbers/registry/numbers.service';
import type { DataDirectory } from './platform/database/data-directory';
import { TenantService } from './tenancy/tenant.service';

/** The tenant that a first start makes, so that a newcomer can send at once. */
export interface DemoAccount {
  clientId: string;
  apiKey: string;
}

const FILE = 'demo.json';

/** The demo tenant's own number, at Twilio. What is texted there goes by email to a mailbox that the simulator shows. */
export const DEMO_NUMBER = '+15005550006';
const DEMO_MAILBOX = 'inbox@simulator.test';

/** Channels in which the demo tenant may fail over, and in which order; every other provider is there to be named by a request. */
const ROUTES: Readonly<Record<string, object>> = {
  sms: { primary: 'twilio', fallback: ['vonage', 'elks', 'skebby', 'smpp'] },
  whatsapp: { primary: 'meta_cloud', fallback: ['twilio_whatsapp'] },
  email: { primary: 'sendgrid', fallback: ['mailgun', 'smtp'] },
  telegram: { primary: 'telegram_bot' },
  push: { primary: 'fcm' },
};

/**
 * Makes a tenant with a simulated account at every provider, routes over them and a number of its own, once for a data directory; later starts find it there. Its
 * key is kept beside the database, readable by the owner only, so that each start can show it again.
 */
export async function seedDemo(app: INestApplication, directory: DataDirectory | undefined): Promise<DemoAccount> {
  const known = directory?.recall<DemoAccount>(FILE);
  if (known) return known;
  const tenant = await app.get(TenantService).create({ name: 'Demo', slug: 'demo' });
  const configs = app.get(ConfigService);
  for (const definition of app.get(ProviderRegistry).all()) {
    await configs.create(tenant.clientId, definition, {
      ...definition.simulator.account(),
      display_name: `${definition.title} (simulated)`,
      status: 'active',
    });
  }
  await app.get(GatewayRoutesService).replace(tenant.clientId, ROUTES);
  await app.get(NumbersService).create(tenant.clientId, {
    number: DEMO_NUMBER,
    provider: 'twilio',
    description: 'Texts to it are mailed to the simulator',
    delivery: [{ type: 'email', to: DEMO_MAILBOX }],
  });
  const account = { clientId: tenant.clientId, apiKey: tenant.apiKey.reveal() };
  directory?.remember(FILE, () => account);
  return account;
}
