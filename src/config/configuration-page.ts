import type { z } from 'zod';
import { ENVIRONMENT } from './app-config';

const PREAMBLE = `# Configuration

Every setting is an environment variable. An empty variable counts as unset. A variable that is set and wrong stops the
start with one line that names it; its value is never printed.

Without \`DATABASE_URL\` UniMsg runs in its embedded default: its own PostgreSQL in the data directory, keys made at first
start, the simulator on, the HTTP address on loopback.

This page is generated from \`src/config/app-config.ts\` by \`npm run docs\`.
`;

/** Text of one table cell: a pipe would end it. */
const cell = (text: string): string => text.replaceAll('|', '\\|');

function defaultOf(schema: z.core.$ZodType): string {
  const def = schema._zod.def as z.core.$ZodTypeDef & { defaultValue?: unknown };
  if (def.type !== 'default') return '';
  const value = def.defaultValue;
  return Array.isArray(value) && value.length === 0 ? '' : `\`${String(value)}\``;
}

/** Words that an enumerated variable may have; undefined for any other variable. */
function wordsOf(schema: z.core.$ZodType): string[] | undefined {
  const def = schema._zod.def as z.core.$ZodTypeDef & { innerType?: z.core.$ZodType; entries?: Record<string, string> };
  if (def.type === 'enum') return Object.values(def.entries!);
  return def.innerType && wordsOf(def.innerType);
}

/** `docs/configuration.md`: one row a variable of {@link ENVIRONMENT}, in its order. */
export function configurationPage(): string {
  const rows = Object.entries(ENVIRONMENT.shape).map(([name, schema]) => {
    if (!schema.description) throw new Error(`${name} has no description`);
    const words = wordsOf(schema);
    const values = words ? ` One of ${words.map((word) => `\`${word}\``).join(', ')}.` : '';
    return `| \`${name}\` | ${defaultOf(schema)} | ${cell(schema.description + values)} |`;
  });
  return [PREAMBLE, '| variable | default | meaning |', '| --- | --- | --- |', ...rows, ''].join('\n');
}
