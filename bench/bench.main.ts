/** `npm run bench`: measures the figures of docs/benchmarks.md, each beside its reference in the same run. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bed } from './bed';
import type { Figure } from './figure';
import { HELP, OptionError, readOptions, type BenchOptions, type RowName } from './options';
import { withEarlier, lineOf, markdown, newReport, type Report } from './report';
import { acceptRow } from './rows/accept.row';
import { bigTablesRow } from './rows/big-tables.row';
import { callbacksRow } from './rows/callbacks.row';
import { eventsRow } from './rows/events.row';
import { inboundRow } from './rows/inbound.row';
import { latencyRow } from './rows/latency.row';
import { memoryRow } from './rows/memory.row';
import { pathRow } from './rows/path.row';
import { providersRow } from './rows/providers.row';

const ROOT = join(__dirname, '..', '..');

const ROWS: Readonly<Record<RowName, (bed: Bed) => Promise<Figure[]>>> = {
  accept: acceptRow,
  path: pathRow,
  callbacks: callbacksRow,
  inbound: inboundRow,
  events: eventsRow,
  latency: latencyRow,
  'big-tables': bigTablesRow,
  memory: memoryRow,
  providers: providersRow,
};

const print = (text: string) => process.stdout.write(`${text}\n`);

export async function main(args: readonly string[]): Promise<void> {
  const options = parse(args);
  if (options === undefined) return;
  if (options === 'help') {
    print(HELP);
    return;
  }
  const report = newReport(options);
  const bed = new Bed(options);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // More than once: npm passes on what the whole group has got already.
    process.on(signal, () => {
      print('stopping');
      void bed.stop().finally(() => process.exit(130));
    });
  }
  try {
    // The run's own Redis is used when there is none.
    // oxlint-disable-next-line node/no-process-env
    await bed.start(process.env.REDIS_URL || undefined);
    for (const row of options.rows) {
      try {
        for (const figure of await ROWS[row](bed)) {
          report.figures.push(figure);
          print(lineOf(figure));
        }
      } catch (error) {
        report.failedRows.push(row);
        print(`${row.padEnd(10)} FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      }
    }
  } finally {
    await bed.stop();
  }
  await write(report, options.write);
  const missed = report.figures.filter((figure) => figure.target && !figure.target.met);
  print(
    `${report.figures.length} figures, ${missed.length} below their minimum, ${report.failedRows.length} rows failed`,
  );
  if (report.failedRows.length > 0 || (options.check && missed.length > 0)) process.exitCode = 1;
}

/** Undefined: the options are wrong, and it was said why. */
function parse(args: readonly string[]): BenchOptions | 'help' | undefined {
  try {
    return readOptions(args);
  } catch (error) {
    const isOption =
      error instanceof OptionError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
    if (!isOption) throw error;
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
    return undefined;
  }
}

async function write(report: Report, page: boolean): Promise<void> {
  const folder = join(ROOT, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const earlier = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .reverse()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Report);
  writeFileSync(join(folder, `${report.at.replaceAll(':', '-')}.json`), `${JSON.stringify(report, null, 2)}\n`);
  if (page) writeFileSync(join(ROOT, 'docs', 'benchmarks.md'), await markdown(withEarlier(report, earlier)));
}
