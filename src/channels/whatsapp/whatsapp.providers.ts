import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';

/** Every WhatsApp provider, one line each. Nothing else is registered anywhere. */
export const WHATSAPP_PROVIDERS: readonly ProviderDefinition[] = [];
