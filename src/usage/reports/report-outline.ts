import { DateTime } from 'luxon';
import type { ReportFiguresView, UsageReportDocument } from './report-document.view';

/** What a mail shows of a report, in words; the HTML and the text are two looks of it. */
export interface ReportOutline {
  subject: string;
  title: string;
  /** Below the title: whose, which clocks, how long. */
  about: string[];
  /** The figures that are looked at first. */
  headline: Array<{ label: string; value: string; note: string }>;
  tables: OutlineTable[];
  notes: string[];
}

export interface OutlineTable {
  title: string;
  /** The first column is text, the others are numbers. */
  header: string[];
  rows: Array<{
    cells: string[];
    /** 0 to 1: the length of its bar, where the table has bars. */
    bar?: number;
  }>;
}

/** Rows of one table; the rest is in the attachment. */
const MOST_ROWS = 50;
const HEADER = ['Sends', 'Delivered', 'Failed', 'Open rate', 'Cost'];
const BEFORE = { daily: 'the day before', weekly: 'the week before', monthly: 'the month before' } as const;
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
      `Made ${shown(DateTime.fromISO(document.generated_at, { zone: document.time_zone }).toISO()!)}. It says what was so then: what providers report later is not in it.`,
      `The whole report is attached. Report ${document.report_id} of schedule ${document.schedule_id}.`,
    ],
  };
}

function headlineOf({ totals, previous, period }: UsageReportDocument): ReportOutline['headline'] {
  const before = BEFORE[period];
  const than = (now: number, then: number): string =>
    then === 0 ? `${number(then)} ${before}` : `${signed(Math.round(((now - then) / then) * 100))} % on ${before}`;
  return [
    { label: 'Sends', value: number(totals.sends), note: than(totals.sends, previous.totals.sends) },
    {
      label: 'Delivered',
      value: number(totals.delivered),
      note: rateNote(totals.delivery_rate, previous.totals.delivery_rate, before),
    },
    {
      label: 'Failed',
      value: number(totals.failed),
      note: rateNote(totals.error_rate, previous.totals.error_rate, before),
    },
    {
      label: 'Opened',
      value: number(totals.unique_opens),
      note: rateNote(totals.open_rate, previous.totals.open_rate, before),
    },
    {
      label: 'Clicked',
      value: number(totals.unique_clicks),
      note: rateNote(totals.click_rate, previous.totals.click_rate, before),
    },
    { label: 'Bounced', value: number(totals.bounces), note: `${number(previous.totals.bounces)} ${before}` },
    { label: 'Segments', value: number(totals.segments), note: `${number(previous.totals.segments)} ${before}` },
    { label: 'Cost', value: costs(totals), note: `${costs(previous.totals)} ${before}` },
  ];
}

function table<Row extends ReportFiguresView>(
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
        row.sends === 0 ? '–' : `${number(row.delivered)} (${percent(row.delivery_rate)})`,
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

function rateNote(now: number | null, then: number | null, before: string): string {
  if (now === null) return '–';
  return then === null ? percent(now) : `${percent(now)}, ${percent(then)} ${before}`;
}

function costs({ cost }: ReportFiguresView): string {
  return cost.length === 0 ? '–' : cost.map(({ currency, amount }) => `${amount} ${currency}`).join(', ');
}

const NUMBER = new Intl.NumberFormat('en');
function number(value: number): string {
  return NUMBER.format(value);
}

function percent(rate: number | null): string {
  return rate === null ? '–' : `${(rate * 100).toFixed(1)} %`;
}

function signed(value: number): string {
  return value > 0 ? `+${number(value)}` : value < 0 ? `−${number(-value)}` : '±0';
}
