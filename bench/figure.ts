import type { Spread } from './statistics';

/** One line of the table. */
export interface Figure {
  row: string;
  /** What was measured, in words. */
  what: string;
  value: Spread | undefined;
  unit: string;
  /** What it is compared with, measured in the same rounds. */
  reference?: {
    what: string;
    value: Spread;
    /** Missing: the same as the figure's. */
    unit?: string;
  };
  /** Value over reference, round by round. */
  ratio?: Spread;
  /** What must hold; missing: the line only informs. */
  target?: { text: string; met: boolean };
  /** Counts that were checked in the database, CPU and what else is worth knowing. */
  notes: string[];
  /** Why it was not run. */
  notRun?: string;
}

export function notRun(row: string, what: string, reason: string): Figure {
  return { row, what, value: undefined, unit: '', notes: [], notRun: reason };
}

/** A wrong result: the speed of something that does not work is worth nothing. */
export class WrongResult extends Error {}

export function expectEqual(what: string, found: number, expected: number): void {
  if (found !== expected) throw new WrongResult(`${what}: ${found} instead of ${expected}`);
}
