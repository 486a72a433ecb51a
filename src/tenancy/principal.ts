import type { TenantLimits } from './quotas';

/** What an API key may do. */
export const SCOPES = [
  'messages:send',
  'messages:read',
  'configs:write',
  'configs:read',
  'webhooks:write',
  'webhooks:read',
  'usage:read',
  'keys:write',
] as const;
export type Scope = (typeof SCOPES)[number];

/** Who makes a request: one API key of one tenant. Frozen and shared by all requests with that key. */
export interface Principal {
  readonly clientId: string;
  /** `key_…` */
  readonly keyId: string;
  readonly scopes: readonly Scope[];
  /** The key was made with `"sandbox": true`: everything that it sends is simulated. */
  readonly sandbox: boolean;
  /** What limits the tenant, as far as it is known already. */
  readonly limits?: TenantLimits;
}
