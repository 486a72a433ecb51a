import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { CLOCK, type Clock } from '../kernel/clock';
import { addDays, dayAt, startOfDay } from '../kernel/time-zone';
import type { UsageFigures } from '../gateway/usage/usage-figures';
import { QuotaReader, tightest } from '../gateway/quotas/quota-reader';
import { UsageOutlet, type UsageSource } from '../gateway/usage/usage-outlet';
import type { UsagePeriod } from '../gateway/usage/usage-query';
import {
  UsageFiguresView,
  type ErrorBudgetView,
  type UsagePanelView,
  type UsageQuotaView,
} from '../gateway/usage/usage.view';
import { TenantDirectory } from '../tenancy/tenant-directory';
import { errorBudget, BUDGET_DAYS } from './error-budget';
import { wholeQuarters } from './usage-period';
import { UsageReader } from './usage-reader';

/** What a panel is about: all of a tenant, or a part of it. */
export interface PanelScope {
  configId?: string;
  channel?: string;
}

/** Puts together what a tenant wants to see of its usage. Answers the gateway layer's questions too. */
@Injectable()
export class UsagePanel implements UsageSource, OnModuleInit {
  constructor(
    private readonly reader: UsageReader,
    private readonly tenants: TenantDirectory,
    private readonly outlet: UsageOutlet,
    private readonly quotas: QuotaReader,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.outlet.connect(this);
  }

  async lately(clientId: string, configIds: readonly string[]): Promise<ReadonlyMap<string, UsageFigures>> {
    const to = this.clock.now();
    const rows = await this.reader.read(clientId, { from: daysBefore(to), to, groupBy: ['config'], configIds });
    return new Map(rows.map(({ configId, figures }) => [configId!, figures]));
  }

  panel(clientId: string, configId: string, period: UsagePeriod): Promise<UsagePanelView> {
    return this.of(clientId, { configId }, period);
  }

  /** @param figures of the period, where they are known already */
  async of(clientId: string, scope: PanelScope, period: UsagePeriod, figures?: UsageFigures): Promise<UsagePanelView> {
    const [total, error_budget, quota] = await Promise.all([
      figures ?? this.total(clientId, scope, period),
      this.budget(clientId, scope),
      this.quota(clientId, scope),
    ]);
    const { from, to } = wholeQuarters(period);
    return {
      ...UsageFiguresView.of(total),
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      time_zone: period.timeZone,
      quota,
      error_budget,
    };
  }

  private async budget(clientId: string, scope: PanelScope): Promise<ErrorBudgetView> {
    const to = this.clock.now();
    const [{ settings }, figures] = await Promise.all([
      this.tenants.get(clientId),
      this.total(clientId, scope, { from: daysBefore(to), to }),
    ]);
    return errorBudget(figures, settings.errorBudgetObjective);
  }

  private async quota(clientId: string, { configId }: PanelScope): Promise<UsageQuotaView | null> {
    const quotas =
      configId === undefined ? await this.quotas.ofTenant(clientId) : await this.quotas.ofConfig(clientId, configId);
    const quota = tightest(quotas);
    if (!quota) return null;
    const { period, limit, used, burn_rate, projected_exhaustion_at } = quota;
    return { period, limit, used, burn_rate, projected_exhaustion_at };
  }

  private async total(
    clientId: string,
    { configId, channel }: PanelScope,
    { from, to }: { from: number; to: number },
  ): Promise<UsageFigures> {
    const configIds = configId === undefined ? undefined : [configId];
    const [row] = await this.reader.read(clientId, { from, to, configIds, channel });
    return row!.figures;
  }
}

/** The beginning of the day of UTC, so many days ago: whole days are read from the fewest rows. */
function daysBefore(at: number): number {
  return startOfDay('UTC', addDays(dayAt('UTC', at), -BUDGET_DAYS));
}
