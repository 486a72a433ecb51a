import type { UsedUp } from '../../gateway/quotas/quota-hints';
import { usedUpOf } from '../../gateway/quotas/quota-ledger';
import type { MessageQuotas, QuotaCounter, QuotaScope } from '../../gateway/quotas/quota-scope';

/** What of a message says which quotas it counts for. */
interface Counted {
  quotas: MessageQuotas | null;
}

/** The counters of one batch, each scope once, and which of them each message needs a place in. */
export class CountedPlaces {
  readonly groups: QuotaCounter[][] = [];
  readonly counters: readonly QuotaCounter[];
  private readonly numbers = new Map<string, number>();

  /** @param countersOf the counters of a scope now */
  constructor(messages: readonly Counted[], countersOf: (scope: QuotaScope) => QuotaCounter[]) {
    // Where a quota was changed while messages waited, the last one knows best.
    for (const { quotas } of messages.toReversed()) {
      for (const scope of [quotas?.tenant, quotas?.config]) {
        if (!scope || this.numbers.has(keyOf(scope))) continue;
        this.groups.push(countersOf(scope));
        this.numbers.set(keyOf(scope), this.groups.length);
      }
    }
    this.counters = this.groups.flat();
  }

  /** The number, from 1, of the group of the tenant's counters; null without such, or for a message of no batch: it repeats the key of one. */
  tenant({ quotas }: Counted): number | null {
    return quotas?.tenant ? (this.numbers.get(keyOf(quotas.tenant)) ?? null) : null;
  }

  config({ quotas }: Counted): number | null {
    return quotas?.config ? (this.numbers.get(keyOf(quotas.config)) ?? null) : null;
  }

  of(message: Counted): QuotaCounter[] {
    return [this.tenant(message), this.config(message)].flatMap((no) => (no === null ? [] : this.groups[no - 1]!));
  }

  /** The quota that left a message out: its tenant's before its config's, since another gateway is no way out of that one. */
  usedUp(message: Counted, used: ReadonlyMap<QuotaCounter, number>): UsedUp | undefined {
    for (const no of [this.tenant(message), this.config(message)]) {
      const usedUp = no === null ? undefined : usedUpOf(this.groups[no - 1]!, used);
      if (usedUp) return usedUp;
    }
    return undefined;
  }
}

function keyOf({ clientId, scope }: QuotaScope): string {
  return `${clientId}\n${scope}`;
}
