import type { Channel } from '../../kernel/channel';
import type { Quotas } from '../../tenancy/quotas';

export const CONFIG_STATUSES = ['draft', 'active', 'paused', 'error', 'decommissioned'] as const;
/** Where a config is in its life. Only an `active` one sends. */
export type ConfigStatus = (typeof CONFIG_STATUSES)[number];

/** Why a config is in `error`. Never holds a secret. */
export interface ConfigFault {
  /** Our stable word, e.g. `bad_credentials`. */
  code: string;
  message: string;
  /** The provider's own code. */
  providerCode?: string;
}

/** One tenant's account at one provider. Immutable: a change makes a new one. Holds references to secrets, never a secret. */
export interface ProviderConfig {
  /** `cfg_…` */
  readonly id: string;
  readonly clientId: string;
  /** The provider key. */
  readonly provider: string;
  readonly channel: Channel;
  readonly displayName: string;
  readonly status: ConfigStatus;
  /** As the definition's schema parsed them; snake_case. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Plain values by field name, references to secrets by `<field>_ref`. */
  readonly credentials: Readonly<Record<string, string>>;
  /** SHA-256 (hex) of the credential that tells the account; null while it does not resolve. */
  readonly accountFingerprint: string | null;
  /** Sealed; opened only where a callback URL is built or checked. */
  readonly callbackTokenSealed: string;
  /** What the tenant set; null: the definition's default. */
  readonly maxPerSecond: number | null;
  /** The limit that holds, requests a second; null: none. */
  readonly perSecond: number | null;
  /** Most messages of a period that it may be given; null: no limit. */
  readonly quotas: Readonly<Quotas> | null;
  /** Grows when settings or credentials change. */
  readonly version: number;
  readonly lastError: ConfigFault | null;
  readonly errorSince: Date | null;
  /** The version whose credentials failed. */
  readonly errorVersion: number | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly activatedAt: Date | null;
  /** ISO countries of `supported_countries`; null: all. */
  readonly countries: ReadonlySet<string> | null;
}

/** What a tenant may do to a config. */
export const CONFIG_ACTIONS = ['activate', 'pause', 'resume', 'decommission'] as const;
export type ConfigAction = (typeof CONFIG_ACTIONS)[number];

/** The life cycle of a config: from where each action may be taken, and where it leads. `error` is entered and left by the service too. */
export const LIFE_CYCLE: Readonly<Record<ConfigAction, { from: readonly ConfigStatus[]; to: ConfigStatus }>> = {
  activate: { from: ['draft', 'paused', 'error'], to: 'active' },
  pause: { from: ['active'], to: 'paused' },
  resume: { from: ['paused'], to: 'active' },
  decommission: { from: ['draft', 'active', 'paused', 'error'], to: 'decommissioned' },
};
