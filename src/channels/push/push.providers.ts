import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { fcm } from './providers/fcm.provider';

/** Every push provider, one line each. Nothing else is registered anywhere. */
export const PUSH_PROVIDERS: readonly ProviderDefinition[] = [fcm];
