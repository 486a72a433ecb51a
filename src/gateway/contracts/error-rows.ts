import type { ErrorRow } from './gateway-error';

/** Rows of an error table that differ in nothing but the provider's code and title. */
export function errorRows(
  row: Omit<ErrorRow, 'title'>,
  titles: Readonly<Record<string, string>>,
): Record<string, ErrorRow> {
  return Object.fromEntries(Object.entries(titles).map(([code, title]) => [code, { ...row, title }]));
}
