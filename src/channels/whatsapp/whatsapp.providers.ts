import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { metaCloud } from './providers/meta-cloud.provider';
import { twilioWhatsapp } from './providers/twilio-whatsapp.provider';

/** Every WhatsApp provider, one line each. Nothing else is registered anywhere. */
export const WHATSAPP_PROVIDERS: readonly ProviderDefinition[] = [metaCloud, twilioWhatsapp];
