import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../kernel/clock';
import { Problem } from '../kernel/problem';
import { ConfigDirectory } from '../gateway/configs/config-directory';
import { NO_USAGE, type UsageFigures } from '../gateway/usage/usage-figures';
import { usagePeriodOf, type UsagePeriod } from '../gateway/usage/usage-query';
import { UsageFiguresView } from '../gateway/usage/usage.view';
import { COUNTED_STATUSES } from '../messaging/metering/contribution';
import { DEFAULT_TIME_ZONE } from '../tenancy/tenant-settings';
import { TenantDirectory } from '../tenancy/tenant-directory';
import { addFigures } from './usage-sum';
import type { AdminUsageGroup, AdminUsageQueryDto, UsageQueryDto } from './usage.dto';
import type { AdminUsageView, UsageGroupView, UsageView } from './usage-group.view';
import { UsagePanel } from './usage-panel';
import { wholeQuarters, type TimeGroup } from './usage-period';
import { UsageReader, type UsageDimension, type UsageQuery, type UsageRow } from './usage-reader';

/** Longest periods by group, days. */
const MOST_DAYS: Record<AdminUsageGroup, number> = {
  none: 3_660,
  hour: 31,
  day: 400,
  month: 3_660,
  channel: 3_660,
  config: 3_660,
  status: 3_660,
  tenant: 3_660,
};

/** Answers questions about usage. */
@Injectable()
export class UsageService {
  constructor(
    private readonly reader: UsageReader,
    private readonly panel: UsagePanel,
    private readonly tenants: TenantDirectory,
    private readonly configs: ConfigDirectory,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws Problem 400 for a period that is none, 404 for an account that the tenant has not */
  async ofTenant(clientId: string, query: UsageQueryDto): Promise<UsageView> {
    const { settings } = await this.tenants.get(clientId);
    const groupBy = query.group_by ?? 'none';
    const period = this.period(query, groupBy, settings.timeZone);
    const { config_id: configId, channel } = query;
    if (configId !== undefined && !(await this.configs.config(clientId, configId))) throw Problem.notFound('config');
    const narrowed = { ...period, channel, ...(configId !== undefined && { configIds: [configId] }) };
    const { total, rows } = await this.read(clientId, narrowed, groupBy);
    const panel = await this.panel.of(clientId, { configId, channel }, period, total);
    const groups = await Promise.all(groupsOf(rows, groupBy).map((group) => this.named(clientId, groupBy, group)));
    return { ...panel, group_by: groupBy, groups };
  }

  /** @throws Problem 400, 404 for a tenant that is none */
  async ofAll(query: AdminUsageQueryDto): Promise<AdminUsageView> {
    const groupBy = query.group_by ?? 'none';
    const { client_id: clientId, channel } = query;
    if (clientId !== undefined) await this.tenants.get(clientId);
    const period = this.period(query, groupBy, DEFAULT_TIME_ZONE);
    const { total, rows } = await this.read(clientId ?? null, { ...period, channel }, groupBy);
    const { from, to } = wholeQuarters(period);
    return {
      ...UsageFiguresView.of(total),
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      time_zone: period.timeZone,
      group_by: groupBy,
      groups: groupsOf(rows, groupBy),
    };
  }

  private period(query: UsageQueryDto | AdminUsageQueryDto, groupBy: AdminUsageGroup, timeZone: string): UsagePeriod {
    return usagePeriodOf(query, { timeZone, now: this.clock.now(), mostDays: MOST_DAYS[groupBy] });
  }

  /** The total is the sum of the groups, so that the two agree while messages are sent. */
  private async read(
    clientId: string | null,
    query: UsageQuery,
    groupBy: AdminUsageGroup,
  ): Promise<{ total: UsageFigures; rows: UsageRow[] }> {
    const dimensions: UsageDimension[] = groupBy === 'none' || groupBy === 'status' ? [] : [groupBy];
    const rows = await this.reader.read(clientId, { ...query, groupBy: dimensions });
    return { rows, total: addFigures(rows.map(({ figures }) => figures)) };
  }

  private async named(clientId: string, groupBy: AdminUsageGroup, group: UsageGroupView): Promise<UsageGroupView> {
    const config = groupBy === 'config' ? await this.configs.config(clientId, group.key) : undefined;
    return config ? { ...group, gateway: config.provider, display_name: config.displayName } : group;
  }
}

function groupsOf(rows: readonly UsageRow[], groupBy: AdminUsageGroup): UsageGroupView[] {
  if (groupBy === 'none') return [];
  if (groupBy === 'status') return statusGroups(rows[0]!.figures);
  return rows.map((row) => ({
    key: keyOf(row, groupBy),
    messages: row.figures.sends + row.figures.expired + row.figures.canceled,
    ...(isTime(groupBy) && { from: new Date(row.from).toISOString(), to: new Date(row.to).toISOString() }),
    ...UsageFiguresView.of(row.figures),
  }));
}

/** By status only messages are counted: what they cost, their parts and their opens belong to all statuses together, and are 0 in each; rates of them are not known. */
function statusGroups(figures: UsageFigures): UsageGroupView[] {
  const messages = {
    ...figures,
    delivered: figures.delivered - figures.read,
    failed: figures.failed - figures.undelivered,
  };
  return COUNTED_STATUSES.map((status) => ({
    key: status,
    messages: messages[status],
    ...UsageFiguresView.of(figuresOf(status, messages[status])),
    open_rate: null,
    click_rate: null,
  }));
}

/** The figures of so many messages of one status, as they add up to those of all. */
function figuresOf(status: (typeof COUNTED_STATUSES)[number], count: number): UsageFigures {
  return {
    ...NO_USAGE,
    [status]: count,
    ...(status === 'read' && { delivered: count }),
    ...(status === 'undelivered' && { failed: count }),
    ...(status !== 'expired' && status !== 'canceled' && { sends: count }),
  };
}

function keyOf(row: UsageRow, groupBy: Exclude<AdminUsageGroup, 'none' | 'status'>): string {
  if (isTime(groupBy)) return row.name;
  if (groupBy === 'channel') return row.channel!;
  if (groupBy === 'tenant') return row.clientId!;
  return row.configId === '' ? 'none' : row.configId!;
}

function isTime(groupBy: AdminUsageGroup): groupBy is TimeGroup {
  return groupBy === 'hour' || groupBy === 'day' || groupBy === 'month';
}
