import { randomBytes } from 'node:crypto';
import type { INestApplication } from '@nestjs/common';
import { ConfigService } from './gateway/configs/config.service';
import { ProviderRegistry } from './gateway/provider-registry';
import { GatewayRoutesService } from './gateway/routing/gateway-routes.service';
import type { DataDirectory } from './platform/database/data-directory';
import { TenantService } from './tenancy/tenant.service';

/** The tenant that a first start makes, so that a newcomer can send at once. */
export interface DemoAccount {
  clientId: string;
  apiKey: string;
}

const FILE = 'demo.json';

/**
 * Makes a tenant with simulated Twilio and Vonage accounts and routes over both, once for a data directory; later starts find it there. Its
 * key is kept beside the database, readable by the owner only, so that each start can show it again.
 */
export async function seedDemo(app: INestApplication, directory: DataDirectory | undefined): Promise<DemoAccount> {
  const known = directory?.recall<DemoAccount>(FILE);
  if (known) return known;
  const tenant = await app.get(TenantService).create({ name: 'Demo', slug: 'demo' });
  const registry = app.get(ProviderRegistry);
  const configs = app.get(ConfigService);
  await configs.create(tenant.clientId, registry.require('twilio'), {
    display_name: 'Twilio (simulated)',
    status: 'active',
    credentials: { account_sid: `AC${randomBytes(16).toString('hex')}`, auth_token: randomBytes(16).toString('hex') },
    from_number: '+15005550006',
  });
  const vonageSecret = randomBytes(8).toString('hex');
  await configs.create(tenant.clientId, registry.require('vonage'), {
    display_name: 'Vonage (simulated)',
    status: 'active',
    credentials: {
      api_key: randomBytes(4).toString('hex'),
      api_secret: vonageSecret,
      // The stand-in sees only the API secret, so it signs with that.
      signature_secret: vonageSecret,
      signature_method: 'sha256',
    },
    from: 'UniMsg',
  });
  await app.get(GatewayRoutesService).replace(tenant.clientId, { sms: { primary: 'twilio', fallback: ['vonage'] } });
  const account = { clientId: tenant.clientId, apiKey: tenant.apiKey.reveal() };
  directory?.remember(FILE, () => account);
  return account;
}
