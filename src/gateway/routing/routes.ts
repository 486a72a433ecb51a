import type { Channel } from '../../kernel/channel';

/** What happens to a message whose fate stays unknown: sent again elsewhere, or kept as failed. */
export type OnAmbiguous = 'failover' | 'hold';

/** One channel's part of the document. A target is a provider key, an alias of it, or `cfg_…`. */
export interface ChannelRoutes {
  primary: string;
  fallback?: string[];
  /** `+<digits>` or `*` → target; the longest prefix wins. */
  routing?: Record<string, string>;
  on_ambiguous?: OnAmbiguous;
  reconcile_seconds?: number;
  /** For `telegram`: see {@link SHORTHAND_CREDENTIALS}. Always {@link SEALED} once it is stored. */
  bot_token?: string;
}

/** By channel, the credential that the document may hold: given there, it makes or changes the tenant's config of `primary`. */
export const SHORTHAND_CREDENTIALS: Partial<Record<Channel, 'bot_token'>> = { telegram: 'bot_token' };
/** What stands in the document for a credential that was given; given again, it means "as it is". */
export const SEALED = 'encrypted';

export type RoutesByChannel = Partial<Record<Channel, ChannelRoutes>>;

export const DEFAULT_ON_AMBIGUOUS: OnAmbiguous = 'failover';
export const DEFAULT_RECONCILE_SECONDS = 10;
