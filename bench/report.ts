import { cpus, totalmem } from 'node:os';
import type { Figure } from './figure';
import type { BenchOptions } from './options';
import type { Spread } from './statistics';

export interface Report {
  at: string;
  quick: boolean;
  machine: string;
  figures: Figure[];
}

export function newReport(options: BenchOptions): Report {
  const [first] = cpus();
  const machine = `${cpus().length} × ${first?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
  return { at: new Date().toISOString(), quick: options.quick, machine, figures: [] };
}

/** One line of a figure, for the terminal. */
export function lineOf(figure: Figure): string {
  const head = `${figure.row.padEnd(10)} ${figure.what}`;
  if (figure.notRun) return `${head}\n           not run: ${figure.notRun}`;
  const parts = [`           ${show(figure.value!, figure.unit)}`];
  if (figure.reference)
    parts.push(`${figure.reference.what}: ${show(figure.reference.value, figure.reference.unit ?? figure.unit)}`);
  if (figure.ratio) parts.push(`ratio ${show(figure.ratio, '×')}`);
  if (figure.target) parts.push(`${figure.target.text} ${figure.target.met ? 'met' : 'MISSED'}`);
  return [head, parts.join(' | '), ...figure.notes.map((note) => `           ${note}`)].join('\n');
}

export function markdown(report: Report): string {
  const rows = report.figures.map((figure) => {
    if (figure.notRun) return `| ${figure.row} | ${figure.what} | not run: ${figure.notRun} | | | |`;
    const reference = figure.reference
      ? `${figure.reference.what}: ${show(figure.reference.value, figure.reference.unit ?? figure.unit)}`
      : '';
    const target = figure.target ? `${figure.target.text}: ${figure.target.met ? 'met' : '**missed**'}` : '';
    return `| ${figure.row} | ${figure.what} | ${show(figure.value!, figure.unit)} | ${reference} | ${figure.ratio ? show(figure.ratio, '×') : ''} | ${target} |`;
  });
  const notes = report.figures.flatMap((figure) =>
    figure.notes.map((note) => `- ${figure.row}, ${figure.what}: ${note}`),
  );
  return `# Benchmarks

Made by \`npm run bench -- --write\`${report.quick ? ' with `--quick`' : ''} on ${report.at}: ${report.machine}. Service, PostgreSQL (every commit synced),
simulator, load generator and receivers share the machine. Each figure is a median with its range; value and reference are measured in
alternating rounds, and the ratio is taken inside each round, since the speed of a machine drifts.

| row | what | measured | reference | ratio | target |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

${notes.join('\n')}
`;
}

function show({ median, min, max }: Spread, unit: string): string {
  const text = (value: number) =>
    Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
  const suffix = unit === '/s' ? '/s' : ` ${unit}`;
  return `${text(median)}${suffix} [${text(min)}–${text(max)}]`;
}
