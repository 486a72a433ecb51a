import type { OutlineTable, ReportOutline } from './report-outline';

const LONGEST_LABEL = 40;

/** The text part of a mail, for those who read no HTML. */
export function reportText(outline: ReportOutline): string {
  const { title, about, headline, standing, tables, notes } = outline;
  const widest = Math.max(...headline.map(({ label }) => label.length));
  return [
    title,
    '='.repeat(title.length),
    ...about,
    '',
    ...headline.map(({ label, value, note }) => `${label.padEnd(widest)}  ${oneLine(value)}  (${note})`),
    ...(standing.length > 0 ? ['', ...standing] : []),
    ...tables.flatMap((table) => ['', table.title, '-'.repeat(table.title.length), ...lines(table)]),
    '',
    ...notes,
    '',
  ].join('\n');
}

function lines({ header, rows }: OutlineTable): string[] {
  const cells = [header, ...rows.map((row) => row.cells)].map(([first = '', ...rest]) => [
    first.length > LONGEST_LABEL ? `${first.slice(0, LONGEST_LABEL - 1)}…` : first,
    ...rest.map(oneLine),
  ]);
  const widths = header.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  return cells.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}

function oneLine(value: string): string {
  return value.replaceAll('\n', ', ');
}
