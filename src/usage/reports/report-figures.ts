import { Injectable } from '@nestjs/common';
import { DateTime } from 'luxon';
import type { UsageFigures } from '../../gateway/usage/usage-figures';
import { UsageFiguresView } from '../../gateway/usage/usage.view';
import { addDays, dayAt, startOfDay } from '../../kernel/time-zone';
import { Database } from '../../platform/database/database';
import { UsagePanel } from '../usage-panel';
import { UsageReader, type UsageRow } from '../usage-reader';
import { addFigures } from '../usage-sum';
import type { ReportChannelView, ReportDayView, ReportSpanView, UsageReportDocument } from './report-document.view';
import { hoursOf, previousPeriod, type ReportPeriod } from './report-period';
import { timetableOf, type ScheduleRow } from './report-schedule';

interface NamedConfig {
  id: string;
  provider: string;
  display_name: string;
}

/** What a report consists of, besides what it is about. */
type Parts = Pick<
  UsageReportDocument,
  'totals' | 'quota' | 'error_budget' | 'days' | 'channels' | 'configs' | 'tenants'
>;

/** Puts the figures of a period together. */
@Injectable()
export class ReportFigures {
  constructor(
    private readonly usage: UsageReader,
    private readonly panel: UsagePanel,
    private readonly database: Database,
  ) {}

  /** The whole document, as things are now. */
  async of(schedule: ScheduleRow, period: ReportPeriod, id: string, now: number): Promise<UsageReportDocument> {
    const { client_id: owner, time_zone: zone } = schedule;
    const before = previousPeriod(timetableOf(schedule), period);
    const [previous] = await this.usage.read(owner, before);
    const names = await this.tenantNames(owner);
    return {
      report_id: id,
      schedule_id: schedule.id,
      client_id: owner,
      name: owner === null ? null : (names.get(owner) ?? owner),
      period: schedule.period,
      time_zone: zone,
      ...span(zone, period),
      generated_at: new Date(now).toISOString(),
      ...(owner === null ? await this.ofAll(zone, period, names) : await this.ofTenant(owner, zone, period)),
      previous: { ...span(zone, before), totals: UsageFiguresView.of(previous!.figures) },
    };
  }

  /** Sums of one reading, so that they fit each other although messages go on being reported on. */
  private async ofTenant(owner: string, zone: string, period: ReportPeriod): Promise<Parts> {
    const rows = await this.usage.read(owner, { ...period, timeZone: zone, groupBy: ['day', 'config', 'channel'] });
    const totals = sumOf(rows);
    const { quota, error_budget } = await this.panel.of(owner, {}, { ...period, timeZone: zone }, totals);
    const configs = await this.configNames(owner);
    const byConfig = grouped(rows, ({ configId, channel }) => `${configId}\n${channel}`);
    return {
      totals: UsageFiguresView.of(totals),
      quota,
      error_budget,
      days: daysOf(zone, period, rows),
      channels: channelsOf(rows),
      configs: byConfig.map((own) => {
        const { configId, channel } = own[0]!;
        return {
          config_id: configId === '' ? null : configId,
          gateway: configs.get(configId!)?.provider ?? null,
          display_name: configs.get(configId!)?.display_name ?? null,
          channel: channel!,
          ...UsageFiguresView.of(sumOf(own)),
        };
      }),
      tenants: [],
    };
  }

  /** By day and by tenant apart: together they would be too many rows. */
  private async ofAll(zone: string, period: ReportPeriod, names: ReadonlyMap<string, string>): Promise<Parts> {
    const days = await this.usage.read(null, { ...period, timeZone: zone, groupBy: ['day'] });
    const rows = await this.usage.read(null, { ...period, groupBy: ['tenant', 'channel'] });
    return {
      totals: UsageFiguresView.of(sumOf(rows)),
      quota: null,
      error_budget: null,
      days: daysOf(zone, period, days),
      channels: channelsOf(rows),
      configs: [],
      tenants: grouped(rows, ({ clientId }) => clientId!).map((own) => ({
        client_id: own[0]!.clientId!,
        name: names.get(own[0]!.clientId!) ?? own[0]!.clientId!,
        ...UsageFiguresView.of(sumOf(own)),
      })),
    };
  }

  private async configNames(owner: string): Promise<Map<string, NamedConfig>> {
    const rows = await this.database.tenant(owner, (tx) =>
      tx.query<NamedConfig>('SELECT id, provider, display_name FROM provider_configs WHERE client_id = $1', [owner]),
    );
    return new Map(rows.map((one) => [one.id, one]));
  }

  /** Of one, or of all. */
  private async tenantNames(owner: string | null): Promise<Map<string, string>> {
    const rows = await this.database.query<{ client_id: string; name: string }>(
      'SELECT client_id, name FROM tenants WHERE $1::text IS NULL OR client_id = $1',
      [owner],
    );
    return new Map(rows.map(({ client_id: clientId, name }) => [clientId, name]));
  }
}

/** Every day of the period, those without figures too. */
function daysOf(zone: string, period: ReportPeriod, rows: readonly UsageRow[]): ReportDayView[] {
  const days: ReportDayView[] = [];
  for (let day = dayAt(zone, period.from); ; day = addDays(day, 1)) {
    const from = Math.max(startOfDay(zone, day), period.from);
    if (from >= period.to) return days;
    const to = Math.min(startOfDay(zone, addDays(day, 1)), period.to);
    const own = rows.filter((row) => row.from >= from && row.from < to);
    const name = DateTime.fromObject(day, { zone: 'UTC' }).toISODate()!;
    days.push({ day: name, hours: hoursOf({ from, to }), ...UsageFiguresView.of(sumOf(own)) });
  }
}

function channelsOf(rows: readonly UsageRow[]): ReportChannelView[] {
  const channels = grouped(rows, ({ channel }) => channel!);
  return channels.map((own) => ({ channel: own[0]!.channel!, ...UsageFiguresView.of(sumOf(own)) }));
}

/** In the order of their keys. */
function grouped(rows: readonly UsageRow[], keyOf: (row: UsageRow) => string): UsageRow[][] {
  const groups = new Map<string, UsageRow[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return [...groups].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, group]) => group);
}

function sumOf(rows: readonly UsageRow[]): UsageFigures {
  return addFigures(rows.map(({ figures }) => figures));
}

function span(zone: string, { from, to }: ReportPeriod): ReportSpanView {
  return {
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    local_from: DateTime.fromMillis(from, { zone }).toISO()!,
    local_to: DateTime.fromMillis(to, { zone }).toISO()!,
    hours: hoursOf({ from, to }),
  };
}
