import { stringify } from 'csv-stringify/sync';
import type { UsageFiguresView } from '../../gateway/usage/usage.view';
import type { UsageReportDocument } from './report-document.view';
import type { ReportFormat } from './report-schedule';

/** A report as a file: what is downloaded, and what is attached to mails. */
export interface ReportFile {
  filename: string;
  /** With charset. */
  contentType: string;
  content: string;
}

const CONTENT_TYPES: Record<ReportFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  json: 'application/json; charset=utf-8',
};

export function reportFile(document: UsageReportDocument, format: ReportFormat): ReportFile {
  const { period, days } = document;
  const [first, last] = [days[0]!.day, days.at(-1)!.day];
  const when = period === 'monthly' ? first.slice(0, 7) : first === last ? first : `${first}_${last}`;
  return {
    filename: `usage-${when}.${format}`,
    contentType: CONTENT_TYPES[format],
    content: format === 'csv' ? csvOf(document) : `${JSON.stringify(document, null, 2)}\n`,
  };
}

/** What a row of the CSV is about. */
interface Row {
  /** `total`, `previous` (the period before), `day`, `channel`, `config` or `tenant`. */
  group: string;
  from: string;
  to: string;
  key?: string | null;
  name?: string | null;
  channel?: string;
  figures: UsageFiguresView;
}

const HEAD = ['report_id', 'time_zone', 'group', 'from', 'to', 'key', 'name', 'channel'];
const PLAIN = [
  'sends',
  'sent',
  'delivered',
  'read',
  'failed',
  'undelivered',
  'expired',
  'canceled',
  'delivery_rate',
  'error_rate',
  'opens',
  'unique_opens',
  'machine_opens',
  'open_rate',
  'clicks',
  'unique_clicks',
  'click_rate',
  'bounces',
  'complaints',
  'unsubscribes',
  'segments',
  'inbound',
] as const satisfies ReadonlyArray<keyof UsageFiguresView>;

/** One table: a row for each part of the report, and at its end a column for each currency. */
function csvOf(document: UsageReportDocument): string {
  const rows = rowsOf(document);
  const currencies = [...new Set(rows.flatMap(({ figures }) => figures.cost.map(({ currency }) => currency)))].sort();
  const columns = [...HEAD, ...PLAIN, ...currencies.map((currency) => `cost_${currency.toLowerCase()}`)];
  const records = rows.map(({ group, from, to, key, name, channel, figures }) => [
    document.report_id,
    document.time_zone,
    group,
    from,
    to,
    key ?? '',
    name ?? '',
    channel ?? '',
    ...PLAIN.map((column) => figures[column] ?? ''),
    ...currencies.map((currency) => figures.cost.find((one) => one.currency === currency)?.amount ?? ''),
  ]);
  // A spreadsheet runs what begins with = + - or @, and names are what tenants say.
  return stringify([columns, ...records], { escape_formulas: true, record_delimiter: 'windows' });
}

function rowsOf(document: UsageReportDocument): Row[] {
  const { local_from: from, local_to: to, previous } = document;
  const whole = { from, to };
  return [
    { group: 'total', ...whole, key: document.client_id, name: document.name, figures: document.totals },
    { group: 'previous', from: previous.local_from, to: previous.local_to, figures: previous.totals },
    ...document.days.map((day) => ({ group: 'day', ...whole, key: day.day, figures: day })),
    ...document.channels.map((one) => ({ group: 'channel', ...whole, channel: one.channel, figures: one })),
    ...document.configs.map((one) => ({
      group: 'config',
      ...whole,
      key: one.config_id,
      name: one.display_name,
      channel: one.channel,
      figures: one,
    })),
    ...document.tenants.map((one) => ({ group: 'tenant', ...whole, key: one.client_id, name: one.name, figures: one })),
  ];
}
