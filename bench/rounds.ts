import type { Cpu } from './bed';
import type { Figure } from './figure';
import type { LoadResult } from './load.types';
import { spread } from './statistics';

interface Round {
  value: number;
  reference: number;
  total: number;
  referenceTotal: number;
  cpu: Cpu;
}

/** Alternating measurements of a value and its reference. The machine's speed drifts, so what counts is the ratio inside a round. */
export class Rounds {
  private readonly list: Round[] = [];

  add(
    value: Pick<LoadResult, 'perSecond' | 'total'>,
    reference: Pick<LoadResult, 'perSecond' | 'total'>,
    before: Cpu,
    after: Cpu,
  ): void {
    this.list.push({
      value: value.perSecond,
      reference: reference.perSecond,
      total: value.total,
      referenceTotal: reference.total,
      cpu: {
        service: after.service - before.service,
        postgres: after.postgres - before.postgres,
        empty: after.empty - before.empty,
        simulator: after.simulator - before.simulator,
      },
    });
  }

  /** Milliseconds of CPU for one unit, over all rounds. */
  cpuEach(part: keyof Cpu): number {
    const seconds = this.list.reduce((sum, round) => sum + round.cpu[part], 0);
    const units = this.list.reduce((sum, round) => sum + (part === 'empty' ? round.referenceTotal : round.total), 0);
    return (seconds * 1000) / units;
  }

  /** @param least the least median ratio; undefined: the line only informs */
  figure(row: string, what: string, reference: string, least: number | undefined, notes: string[]): Figure {
    const ratio = spread(this.list.map((round) => round.value / round.reference));
    return {
      row,
      what,
      unit: '/s',
      value: spread(this.list.map((round) => round.value)),
      reference: { what: reference, value: spread(this.list.map((round) => round.reference)) },
      ratio,
      ...(least === undefined ? {} : { target: { text: `≥ ${least} ×`, met: ratio.median >= least } }),
      notes,
    };
  }
}

/** @param parts what worked for the unit; the empty endpoint's figure is for one of its requests */
export function cpuNote(
  rounds: Rounds,
  unit: string,
  parts: ReadonlyArray<keyof Cpu> = ['service', 'postgres', 'simulator', 'empty'],
): string {
  const text = parts.map((part) => `${PART_NAMES[part]} ${rounds.cpuEach(part).toFixed(3)}`);
  return `CPU ms each ${unit}: ${text.join(', ')}`;
}

const PART_NAMES: Readonly<Record<keyof Cpu, string>> = {
  service: 'service',
  postgres: 'PostgreSQL',
  simulator: 'simulator',
  empty: 'empty endpoint (a request)',
};
