import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kernel/clock';
import type { ChangeFeed } from '../../platform/database/change-feed';
import type { Quotas } from '../../tenancy/quotas';
import { TENANT_CHANGED } from '../../tenancy/tenant-directory';
import type { QuotaCounter } from './quota-scope';

/** A hard quota that is used up. */
export interface UsedUp extends QuotaCounter {
  readonly used: number;
}

const MOST = 10_000;

/**
 * Which hard quotas are used up, as far as this process has seen: so that what they would refuse is refused, or takes another gateway, before a row
 * is touched. A hint holds for the limit that was seen and until its period ends; a tenant that changes (its time zone, say) has none.
 */
export class QuotaHints {
  private readonly hints = new LRUCache<string, readonly UsedUp[]>({ max: MOST });

  constructor(
    private readonly clock: Clock,
    feed: Pick<ChangeFeed, 'on'>,
  ) {
    feed.on(
      TENANT_CHANGED,
      (clientId) => this.forget(clientId),
      () => this.hints.clear(),
    );
  }

  /** The quota that refuses a message now; the one that lasts longest when two do. */
  usedUp(clientId: string, scope: string, quotas: Readonly<Quotas>): UsedUp | undefined {
    const hints = this.hints.get(keyOf(clientId, scope));
    if (hints === undefined || quotas.mode === 'soft') return undefined;
    const now = this.clock.now();
    return longest(
      hints.filter(({ period, limit, start, end }) => limit === quotas[period] && now >= start && now < end),
    );
  }

  note(usedUp: UsedUp): void {
    const key = keyOf(usedUp.clientId, usedUp.scope);
    const others = (this.hints.get(key) ?? []).filter(({ period }) => period !== usedUp.period);
    this.hints.set(key, [...others, usedUp]);
  }

  private forget(clientId: string): void {
    const prefix = keyOf(clientId, '');
    for (const key of this.hints.keys()) if (key.startsWith(prefix)) this.hints.delete(key);
  }
}

export function longest(usedUp: readonly UsedUp[]): UsedUp | undefined {
  return usedUp.reduce<UsedUp | undefined>((one, other) => (one && one.end >= other.end ? one : other), undefined);
}

function keyOf(clientId: string, scope: string): string {
  return `${clientId}\n${scope}`;
}
