import type { SealedColumn } from '../../platform/secrets/resealer';
import { callbackTokenContext } from './config-secrets';
import { secretContext } from './secret-sources';

/** What provider configs seal. */
export const GATEWAY_SEALED: readonly SealedColumn[] = [
  { table: 'secrets', key: 'id', column: 'sealed', context: ({ key, clientId }) => secretContext(clientId, key) },
  {
    table: 'provider_configs',
    key: 'id',
    column: 'callback_token',
    context: ({ key, clientId }) => callbackTokenContext(clientId, key),
  },
];
