import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { agile } from './providers/agile.provider';
import { elks } from './providers/elks.provider';
import { skebby } from './providers/skebby.provider';
import { smpp } from './providers/smpp.provider';
import { twilio } from './providers/twilio.provider';
import { vonage } from './providers/vonage.provider';

/** Every SMS provider, one line each. Nothing else is registered anywhere. */
export const SMS_PROVIDERS: readonly ProviderDefinition[] = [twilio, vonage, skebby, elks, smpp, agile];
