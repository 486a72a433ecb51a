/** `npm run bench`: measures the figures of docs/benchmarks.md, each beside its reference in the same run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bed } from './bed';
import type { Figure } from './figure';
import { HELP, readOptions, type RowName } from './options';
import { lineOf, markdown, newReport, type Report } from './report';
import { acceptRow } from './rows/accept.row';
import { bigTablesRow } from './rows/big-tables.row';
import { callbacksRow } from './rows/callbacks.row';
import { eventsRow } from './rows/events.row';
import { latencyRow } from './rows/latency.row';
import { memoryRow } from './rows/memory.row';
import { pathRow } from './rows/path.row';

const ROOT = join(__dirname, '..', '..');

const ROWS: Readonly<Record<RowName, (bed: Bed) => Promise<Figure[]>>> = {
  accept: acceptRow,
  path: pathRow,
  callbacks: callbacksRow,
  events: eventsRow,
  latency: latencyRow,
  'big-tables': bigTablesRow,
  memory: memoryRow,
};

const print = (text: string) => process.stdout.write(`${text}\n`);

export async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options === 'help') {
    print(HELP);
    return;
  }
  const report = newReport(options);
  const bed = new Bed(options);
  const failures: string[] = [];
  process.once('SIGINT', () => {
    print('stopping');
    void bed.stop().finally(() => process.exit(130));
  });
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
        failures.push(row);
        print(`${row.padEnd(10)} FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      }
    }
  } finally {
    await bed.stop();
  }
  write(report, options.write);
  const missed = report.figures.filter((figure) => figure.target && !figure.target.met);
  print(`${report.figures.length} figures, ${missed.length} below their minimum, ${failures.length} rows failed`);
  if (failures.length > 0 || (options.check && missed.length > 0)) process.exitCode = 1;
}

function write(report: Report, page: boolean): void {
  const folder = join(ROOT, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${report.at.replaceAll(':', '-')}.json`), `${JSON.stringify(report, null, 2)}\n`);
  if (page) writeFileSync(join(ROOT, 'docs', 'benchmarks.md'), markdown(report));
}
