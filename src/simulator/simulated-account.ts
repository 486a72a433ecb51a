import type { CallbackConfig } from '../gateway/configs/config-directory';
import type { ProviderDefinition } from '../gateway/contracts/provider-definition';
import type { SimulatedAccount } from '../gateway/contracts/simulator';
import { needsUrlToken } from '../gateway/gateway-calls';

/** What the owner of a config would have typed into the provider's console. */
export function simulatedAccount(
  definition: ProviderDefinition,
  { config, secrets }: CallbackConfig,
  publicUrl: string,
): SimulatedAccount {
  const credentials = Object.entries(secrets.credentials).map(([name, secret]) => [name, secret?.reveal()]);
  return {
    credentials: Object.fromEntries(credentials),
    settings: config.settings,
    callbackUrl: (kind) => {
      const url = `${publicUrl}/webhook/${definition.slug}/${kind}/${config.id}`;
      if (!needsUrlToken(definition, kind, secrets.credentials)) return url;
      return `${url}?token=${encodeURIComponent(secrets.urlToken.reveal())}`;
    },
    callbackToken: () => secrets.urlToken.reveal(),
  };
}
