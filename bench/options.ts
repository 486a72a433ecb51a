import { parseArgs } from 'node:util';

export const ROW_NAMES = [
  'accept',
  'path',
  'callbacks',
  'inbound',
  'events',
  'latency',
  'big-tables',
  'memory',
  'providers',
] as const;
export type RowName = (typeof ROW_NAMES)[number];

export type Driver = 'in-process' | 'bull';

/** How long and how often. */
export interface Effort {
  rounds: number;
  /** Measured seconds of a round. */
  seconds: number;
  warmupSeconds: number;
  sustainedSeconds: number;
  bigTableRows: number;
  waitingMessages: number;
  watchSeconds: number;
}

export interface BenchOptions {
  rows: readonly RowName[];
  drivers: readonly Driver[];
  quick: boolean;
  check: boolean;
  write: boolean;
  connections: number;
  effort: Effort;
  /** Where CPU profiles of the service are written; missing: none are. */
  profileDirectory: string | undefined;
}

const FULL: Effort = {
  rounds: 5,
  seconds: 8,
  warmupSeconds: 2,
  sustainedSeconds: 60,
  bigTableRows: 5_000_000,
  waitingMessages: 500_000,
  watchSeconds: 60,
};
const QUICK: Effort = {
  rounds: 3,
  seconds: 3,
  warmupSeconds: 1,
  sustainedSeconds: 15,
  bigTableRows: 500_000,
  waitingMessages: 500_000,
  watchSeconds: 15,
};

/** An option that cannot be, told in one line. */
export class OptionError extends Error {}

export const HELP = `npm run bench -- [row…] [options]
  --quick                      three short rounds, 500,000 old messages instead of 5 million
  --rounds <n>                 rounds of each figure (5, quick: 3)
  <row>, --only <row>          one row, may be given again: ${ROW_NAMES.join(', ')}; default: all
  --driver <in-process|bull>   one queue driver; default: both
  --connections <n>            of the load generator (200)
  --check                      exit code 1 when a figure is below its minimum
  --write                      also write docs/benchmarks.md; a row that is not measured now keeps the newest
                               figures of bench/results, with their own date
  --profile <directory>        write CPU profiles of the service there
`;

export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      driver: { type: 'string' },
      connections: { type: 'string', default: '200' },
      rounds: { type: 'string' },
      check: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const named = [...positionals, ...(values.only ?? [])].flatMap((text) => text.split(','));
  const only = named.length > 0 ? named : undefined;
  const unknown = only?.find((name) => !ROW_NAMES.includes(name as RowName));
  if (unknown !== undefined) throw new OptionError(`there is no row "${unknown}"; rows are ${ROW_NAMES.join(', ')}`);
  if (values.driver !== undefined && values.driver !== 'in-process' && values.driver !== 'bull')
    throw new OptionError('--driver must be in-process or bull');
  if (values.write && values.driver !== undefined) throw new OptionError('--write needs both queue drivers');
  const connections = Number(values.connections);
  if (!Number.isInteger(connections) || connections < 1 || connections > 10_000)
    throw new OptionError('--connections must be a whole number from 1 to 10000');
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && (!Number.isInteger(rounds) || rounds < 1 || rounds > 100))
    throw new OptionError('--rounds must be a whole number from 1 to 100');
  return {
    rows: only ? ROW_NAMES.filter((name) => only.includes(name)) : ROW_NAMES,
    drivers: values.driver ? [values.driver] : ['in-process', 'bull'],
    quick: values.quick,
    check: values.check,
    write: values.write,
    connections,
    effort: { ...(values.quick ? QUICK : FULL), ...(rounds !== undefined && { rounds }) },
    profileDirectory: values.profile,
  };
}
