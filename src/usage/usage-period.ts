import { addDays, dayAt, offsetAt, startOfDay } from '../kernel/time-zone';

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
  if (group === 'hour') return hourOf(at, timeZone) + HOUR_MS;
  const day = dayAt(timeZone, at);
  let next = group === 'day' ? addDays(day, 1) : { year: day.year, month: day.month + 1, day: 1 };
  // Where clocks go back over midnight, the end of a day is shown again after the next one has begun.
  while (startOfDay(timeZone, next) <= at) next = addDays(next, 1);
  return startOfDay(timeZone, next);
}

/** When the local hour begins; by the offset, not by its name, so that an hour that comes twice is two. */
function hourOf(at: number, timeZone: string): number {
  const offset = offsetAt(timeZone, at);
  return Math.floor((at + offset) / HOUR_MS) * HOUR_MS - offset;
}

/** The name of a stretch that begins at a time: `2026-03-29T03:00+02:00`, `2026-03-29` or `2026-03`, in the time zone. */
export function stretchName(at: number, group: TimeGroup, timeZone: string): string {
  if (group === 'hour') {
    const hour = hourOf(at, timeZone);
    const offset = offsetAt(timeZone, hour);
    const minutes = Math.abs(offset) / MINUTE;
    const zone = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0')).join(':');
    return `${new Date(hour + offset).toISOString().slice(0, 16)}${offset < 0 ? '-' : '+'}${zone}`;
  }
  const { year, month, day } = dayAt(timeZone, at);
  return new Date(Date.UTC(year, month - 1, day)).toISOString().slice(0, group === 'day' ? 10 : 7);
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
