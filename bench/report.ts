import { cpus, totalmem } from 'node:os';
import { format } from 'prettier';
import type { Figure } from './figure';
import { ROW_NAMES, type BenchOptions, type Driver, type RowName } from './options';
import type { Spread } from './statistics';

export interface Report {
  at: string;
  quick: boolean;
  machine: string;
  drivers: readonly Driver[];
  figures: Figure[];
  /** Rows that ended with an error. */
  failedRows: RowName[];
}

/** What was measured of a row, and when. */
interface Measured {
  row: RowName;
  from: Report | undefined;
}

export function newReport(options: BenchOptions): Report {
  const [first] = cpus();
  const machine = `${cpus().length} × ${first?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
  return {
    at: new Date().toISOString(),
    quick: options.quick,
    machine,
    drivers: options.drivers,
    figures: [],
    failedRows: [],
  };
}

/** One line of a figure, for the terminal. */
export function lineOf(figure: Figure): string {
  const head = `${figure.row.padEnd(10)} ${figure.what}`;
  if (figure.notRun) return `${head}\n           not run: ${figure.notRun}`;
  const parts = [`           ${show(figure.value!, figure.unit)}`];
  if (figure.reference)
    parts.push(`${figure.reference.what}: ${show(figure.reference.value, figure.reference.unit ?? figure.unit)}`);
  if (figure.ratio) parts.push(`ratio ${show(figure.ratio, '×')}`);
  if (figure.target) parts.push(`${figure.target.text} ${figure.target.met ? 'met' : 'NOT MET'}`);
  return [head, parts.join(' | '), ...figure.notes.map((note) => `           ${note}`)].join('\n');
}

/**
 * Each row with the run that it is taken from: this one, or the newest of the same thoroughness, drivers and machine.
 * @param earlier the newest first
 */
export function withEarlier(report: Report, earlier: readonly Report[]): Measured[] {
  const has = (one: Report, row: RowName) => one.figures.some((figure) => figure.row === row);
  const alike = earlier.filter(
    (one) =>
      one.quick === report.quick && one.machine === report.machine && one.drivers?.length === report.drivers.length,
  );
  return ROW_NAMES.map((row) => {
    const current = has(report, row) || report.failedRows.includes(row);
    return { row, from: current ? report : alike.find((one) => has(one, row)) };
  });
}

/** The page of docs/benchmarks.md. */
export function markdown(rows: readonly Measured[]): Promise<string> {
  const known = rows.flatMap(({ row, from }) => (from ? [{ row, from }] : []));
  const { machine, quick } = known[0]!.from;
  const figures = known.flatMap(({ row, from }) => from.figures.filter((figure) => figure.row === row));
  const lacking = rows.flatMap(({ row, from }) => {
    if (!from) return [`- ${row}: not measured yet`];
    return from.failedRows?.includes(row) ? [`- ${row}: **failed**, so its figures are incomplete`] : [];
  });
  const notRun = figures.filter((figure) => figure.notRun);
  const notMet = figures.filter((figure) => figure.target && !figure.target.met);
  const missed = notMet.map((figure) => `${figure.row} (${figure.what})`).join('; ');
  const all = lacking.length === 0 && notRun.length === 0 ? 'All targets' : 'All targets of what was measured';
  const verdict = notMet.length === 0 ? `${all} are met.` : `**Not met:** ${missed}.`;
  const dates = known.map(({ row, from }) => `${row} ${from.at.slice(0, 16).replace('T', ' ')}`).join(', ');
  const notes = figures.map((figure) => [
    `- **${figure.row}**, ${figure.what}`,
    ...figure.notes.map((note) => `  - ${note}`),
  ]);
  return format(
    `# Benchmarks

Made by \`npm run bench -- --write\`${quick ? ' with `--quick`: **short rounds that only show that it works**' : ''}. Do not edit by hand.

## The machine

${machine}. Everything shares it: service, PostgreSQL (a local disk; every commit is synced before it is answered), Redis where it is used,
simulator, load generator and receivers. Measured (UTC): ${dates}.

## How to read it

- A figure is the median of its rounds, with the lowest and the highest round in brackets.
- Value and reference are measured in alternating rounds on the same machine, and the ratio is taken inside each round. The speed of a machine
  drifts, so only the ratio can be compared, and that between machines of one kind: a fast core speeds up the empty endpoint more than a commit, so
  the same service is at 1.35 × of it on one machine and at 0.77 × on another that accepts twice as many a second.
- The empty endpoint is the least that this stack does: NestJS on Express with one DTO of four fields, checked, and an answer at once. No
  database, no key, no route.
- A figure counts only if its results are right: after each measurement the rows in PostgreSQL, and what the provider or receiver got, are compared with
  what was answered. A difference fails the row.
- A line without a target only informs.

## Figures

${verdict}

| row | what | measured | reference | ratio | target |
| --- | --- | --- | --- | --- | --- |
${figures.map(tableLine).join('\n')}

${lacking.join('\n')}

## What was checked, and more

${notes.flat().join('\n')}
`,
    { parser: 'markdown' },
  );
}

function tableLine(figure: Figure): string {
  if (figure.notRun) return `| ${figure.row} | ${figure.what} | not run: ${figure.notRun} | | | |`;
  const { reference, ratio, target } = figure;
  const cells = [
    figure.row,
    figure.what,
    show(figure.value!, figure.unit),
    reference ? `${reference.what}: ${show(reference.value, reference.unit ?? figure.unit)}` : '',
    ratio ? show(ratio, '×') : '',
    target ? `${target.text}: ${target.met ? 'met' : '**not met**'}` : '',
  ];
  return `| ${cells.join(' | ')} |`;
}

function show({ median, min, max }: Spread, unit: string): string {
  const text = (value: number) =>
    Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
  const suffix = unit === '/s' ? '/s' : ` ${unit}`;
  return `${text(median)}${suffix} [${text(min)}–${text(max)}]`;
}
