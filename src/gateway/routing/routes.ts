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
}

export type RoutesByChannel = Partial<Record<Channel, ChannelRoutes>>;

export const DEFAULT_ON_AMBIGUOUS: OnAmbiguous = 'failover';
export const DEFAULT_RECONCILE_SECONDS = 10;
