import { DateTime } from 'luxon';

export type TimeGroup = 'hour' | 'day' | 'month';

/** A stretch of a period, from `from` until `to` (exclusive); milliseconds since the epoch. */
export interface Stretch {
  from: number;
  to: number;
}

/** Rows of one grain that together cover a stretch of time. */
export interface GrainRange extends Stretch {
  /** Minutes. */
  grain: number;
}

const MINUTE = 60_000;
export const QUARTER_MS = 15 * MINUTE;
const HOUR_MS = 60 * MINUTE;
const DAY_MS = 24 * HOUR_MS;
/** Coarsest first; each is a whole number of the next. */
const GRAINS = [DAY_MS, HOUR_MS, QUARTER_MS];
/** The grains in which figures are kept, minutes. */
export const GRAIN_MINUTES = [15, 60, 1440] as const;

/** The quarter of an hour in which a time lies: figures are kept by it, which is exact for every time zone. */
export function quarterOf(at: number): number {
  return Math.floor(at / QUARTER_MS) * QUARTER_MS;
}

/** A period moved outwards to whole quarters of an hour. */
export function wholeQuarters({ from, to }: Stretch): Stretch {
  return { from: quarterOf(from), to: Math.ceil(to / QUARTER_MS) * QUARTER_MS };
}

/**
 * A period cut where hours, days or months begin in a time zone. A day of the change to summer time has 23 hours, one of the change back has 25.
 * The first and the last stretch may be partial.
 */
export function stretches({ from, to }: Stretch, group: TimeGroup | undefined, timeZone: string): Stretch[] {
  if (group === undefined) return [{ from, to }];
  const result: Stretch[] = [];
  for (let at = from; at < to;) {
    const next = Math.min(nextStart(at, group, timeZone), to);
    result.push({ from: at, to: next });
    at = next;
  }
  return result;
}

function nextStart(at: number, group: TimeGroup, timeZone: string): number {
  const local = DateTime.fromMillis(at, { zone: timeZone });
  // By the offset, not by the name: an hour that comes twice is two.
  if (group === 'hour') return hourOf(local) + HOUR_MS;
  // A day may begin at one o'clock, where the clocks change at midnight.
  return local
    .startOf(group)
    .plus({ [`${group}s`]: 1 })
    .startOf(group)
    .toMillis();
}

/** The name of a stretch that begins at a time: `2026-03-29T02:00+02:00`, `2026-03-29` or `2026-03`, in the time zone. */
export function stretchName(at: number, group: TimeGroup, timeZone: string): string {
  const local = DateTime.fromMillis(at, { zone: timeZone });
  if (group === 'hour') return DateTime.fromMillis(hourOf(local), { zone: timeZone }).toFormat("yyyy-MM-dd'T'HH:mmZZ");
  return local.toFormat(group === 'day' ? 'yyyy-MM-dd' : 'yyyy-MM');
}

/** The beginning of a local hour. */
function hourOf(local: DateTime): number {
  const offset = local.offset * MINUTE;
  return Math.floor((local.toMillis() + offset) / HOUR_MS) * HOUR_MS - offset;
}

/** The fewest rows that cover each stretch exactly. Neighbours of one grain are put together, across stretches too. */
export function grainRanges(list: readonly Stretch[]): GrainRange[] {
  const ranges: GrainRange[] = [];
  for (const stretch of list) {
    for (const range of cover(stretch.from, stretch.to, 0)) {
      const last = ranges.at(-1);
      if (last?.grain === range.grain && last.to === range.from) last.to = range.to;
      else ranges.push(range);
    }
  }
  return ranges;
}

function cover(from: number, to: number, level: number): GrainRange[] {
  const size = GRAINS[level];
  if (from >= to || size === undefined) return [];
  const first = Math.ceil(from / size) * size;
  const last = Math.floor(to / size) * size;
  if (first >= last) return cover(from, to, level + 1);
  return [
    ...cover(from, first, level + 1),
    { grain: size / MINUTE, from: first, to: last },
    ...cover(last, to, level + 1),
  ];
}
