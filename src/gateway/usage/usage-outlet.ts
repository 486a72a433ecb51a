import type { UsageFigures } from './usage-figures';
import type { UsagePeriod } from './usage-query';
import type { UsagePanelView } from './usage.view';

/** Who knows what accounts have sent. */
export interface UsageSource {
  /** Figures of the last 30 days by config id; an id without usage may be missing. */
  lately(clientId: string, configIds: readonly string[]): Promise<ReadonlyMap<string, UsageFigures>>;
  /** All that its owner wants to see of one account. */
  panel(clientId: string, configId: string, period: UsagePeriod): Promise<UsagePanelView>;
}

/** Where the gateway layer asks for usage. The layer that counts is above this one, so it says so once it is there. */
export class UsageOutlet {
  private source: UsageSource | undefined;

  connect(source: UsageSource): void {
    this.source = source;
  }

  get(): UsageSource {
    if (!this.source) throw new Error('nobody counts usage yet');
    return this.source;
  }
}
