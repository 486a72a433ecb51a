import { DateTime } from 'luxon';
import type { UsageFiguresView } from '../../gateway/usage/usage.view';
import type { UsageReportDocument } from './report-document.view';

/** What a mail shows of a report, in words; the HTML and the text are two looks of it. */
export interface ReportOutline {
  subject: string;
  title: string;
  /** Below the title: whose, which clocks, how long. */
  about: string[];
  /** The figures that are looked at first. */
  headline: Array<{ label: string; value: string; note: string }>;
  /** What was left when it was made. */
  standing: string[];
  tables: OutlineTable[];
  notes: string[];
}

export interface OutlineTable {
  title: string;
  /** The first column is text, the others are numbers, of which one may have several lines. */
  header: string[];
  rows: Array<{
    cells: string[];
    /** 0 to 1: the length of its bar, where the table has bars. */
    bar?: number;
  }>;
}

/** Rows of one table; the rest is in the attachment. */
const MOST_ROWS = 50;
const HEADER = ['Sends', 'Delivered', 'Failed', 'Opened', 'Cost'];
const BEFORE = { daily: 'the day', weekly: 'the week', monthly: 'the month' } as const;
const WHEN = { daily: 'on', weekly: 'from', monthly: 'in' } as const;

export function outlineOf(document: UsageReportDocument): ReportOutline {
  const { totals, period } = document;
  const whose = document.name ?? 'All tenants';
  const name = periodName(document);
  const rates =
    totals.sends === 0 ? 'nothing sent' : `${number(totals.sends)} sent, ${percent(totals.delivery_rate)} delivered`;
  return {
    subject: `${whose}: usage ${WHEN[period]} ${name}, ${rates}`,
    title: `Usage ${WHEN[period]} ${name}`,
    about: [
      whose,
      `${shown(document.local_from)} to ${shown(document.local_to)}, ${document.time_zone}`,
      ...clockNote(document),
    ],
    headline: headlineOf(document),
    standing: standingOf(document),
    tables: [
      ...(period === 'daily' ? [] : [table('By day', 'Day', document.days, ({ day }) => dayName(day), true)]),
      table('By channel', 'Channel', document.channels, ({ channel }) => channel),
      table('By provider account', 'Account', document.configs, (one) =>
        one.config_id === null
          ? `none asked (${one.channel})`
          : `${one.display_name ?? one.config_id} (${one.gateway ?? one.channel})`,
      ),
      table('By tenant', 'Tenant', document.tenants, (one) => one.name, true),
    ].filter(({ rows }) => rows.length > 0),
    notes: [
      `“was”: ${BEFORE[period]} before, as it looks now. Opened and clicked: mails that were, by all that was delivered.`,
      `Made ${shown(DateTime.fromISO(document.generated_at, { zone: document.time_zone }).toISO()!)}. It says what was so then: what providers report later is not in it.`,
      `The whole report is attached. Report ${document.report_id} of schedule ${document.schedule_id}.`,
    ],
  };
}

function headlineOf({ totals, previous: { totals: was } }: UsageReportDocument): ReportOutline['headline'] {
  const growth = was.sends === 0 ? '' : `${signed(Math.round(((totals.sends - was.sends) / was.sends) * 100))}%, `;
  const rated = (label: string, count: number, rate: number | null, before: number | null) => ({
    label,
    value: number(count),
    note: `${percent(rate)}, was ${percent(before)}`,
  });
  return [
    { label: 'Sends', value: number(totals.sends), note: `${growth}was ${number(was.sends)}` },
    rated('Delivered', totals.delivered, totals.delivery_rate, was.delivery_rate),
    rated('Failed', totals.failed, totals.error_rate, was.error_rate),
    { label: 'Segments', value: number(totals.segments), note: `was ${number(was.segments)}` },
    rated('Opened', totals.unique_opens, totals.open_rate, was.open_rate),
    rated('Clicked', totals.unique_clicks, totals.click_rate, was.click_rate),
    { label: 'Bounced', value: number(totals.bounces), note: `was ${number(was.bounces)}` },
    { label: 'Cost', value: costs(totals), note: `was ${costs(was).replaceAll('\n', ', ')}` },
  ];
}

function standingOf({ error_budget: budget, quota }: UsageReportDocument): string[] {
  const lines: string[] = [];
  if (budget !== null)
    lines.push(`Error budget of ${budget.window_days} days: ${budget.state}, ${percent(budget.remaining)} left.`);
  if (quota !== null) {
    const last = quota.projected_exhaustion_at;
    const until = last === null ? '' : `; at this pace it is used up on ${last.slice(0, 16).replace('T', ' at ')} UTC`;
    lines.push(`Quota (${quota.period}): ${number(quota.used)} of ${number(quota.limit)} used${until}.`);
  }
  return lines;
}

function table<Row extends UsageFiguresView>(
  title: string,
  first: string,
  rows: readonly Row[],
  label: (row: Row) => string,
  bars = false,
): OutlineTable {
  const most = Math.max(1, ...rows.map(({ sends }) => sends));
  // Days stay in their order.
  const sorted = title === 'By day' ? rows : [...rows].sort((a, b) => b.sends - a.sends);
  const left = rows.length - MOST_ROWS;
  return {
    title: left > 0 ? `${title}: the ${MOST_ROWS} with the most sends of ${number(rows.length)}` : title,
    header: [first, ...HEADER],
    rows: sorted.slice(0, MOST_ROWS).map((row) => ({
      cells: [
        label(row),
        number(row.sends),
        percent(row.delivery_rate),
        number(row.failed),
        row.unique_opens === 0 ? '–' : percent(row.open_rate),
        costs(row),
      ],
      ...(bars && { bar: row.sends / most }),
    })),
  };
}

/** A period as people write it: `29 March 2026`, `23 to 29 March 2026`, `March 2026`. */
function periodName({ period, days }: UsageReportDocument): string {
  const first = DateTime.fromISO(days[0]!.day, { zone: 'UTC', locale: 'en-GB' });
  const last = DateTime.fromISO(days.at(-1)!.day, { zone: 'UTC', locale: 'en-GB' });
  if (period === 'monthly') return first.toFormat('LLLL yyyy');
  if (period === 'daily') return last.toFormat('d LLLL yyyy');
  const same = first.year !== last.year ? 'd LLLL yyyy' : first.month !== last.month ? 'd LLLL' : 'd';
  return `${first.toFormat(same)} to ${last.toFormat('d LLLL yyyy')}`;
}

function clockNote({ hours, days, period }: UsageReportDocument): string[] {
  const usual = days.length * 24;
  if (hours === usual) return [];
  const direction = hours < usual ? 'forward' : 'back';
  const what = { daily: 'This day', weekly: 'This week', monthly: 'This month' }[period];
  return [`${what} had ${hours} hours: clocks went ${direction}.`];
}

function dayName(day: string): string {
  return DateTime.fromISO(day, { zone: 'UTC', locale: 'en-GB' }).toFormat('ccc d LLL');
}

/** A local time with its offset, to the minute. */
function shown(local: string): string {
  return DateTime.fromISO(local, { setZone: true }).toFormat('yyyy-MM-dd HH:mm ZZ');
}

/** One currency a line. */
function costs({ cost }: UsageFiguresView): string {
  return cost.length === 0 ? '–' : cost.map(({ currency, amount }) => `${money(amount)} ${currency}`).join('\n');
}

/** Without the zeros that say nothing; cents stay. */
function money(amount: string): string {
  const [whole, fraction = ''] = amount.split('.');
  return `${whole}.${fraction.replace(/0+$/, '').padEnd(2, '0')}`;
}

const NUMBER = new Intl.NumberFormat('en');
function number(value: number): string {
  return NUMBER.format(value);
}

function percent(rate: number | null): string {
  return rate === null ? '–' : `${(rate * 100).toFixed(1)}%`;
}

function signed(value: number): string {
  return value > 0 ? `+${number(value)}` : value < 0 ? `−${number(-value)}` : '±0';
}
