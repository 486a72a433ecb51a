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
const GRAINS = [DAY_MS, 4 * HOUR_MS, HOUR_MS, QUARTER_MS];
/** The grains in which figures are kept, minutes. */
export const GRAIN_MINUTES = [15, 60, 240, 1440] as const;

/** The quarter of an hour in which a time lies: figures are kept by it, which is exact for every time zone. */
export function quarterOf(at: number): number {
  return Math.floor(at / QUARTER_MS) * QUARTER_MS;
}

/** A period moved outwards to whole quarters of an hour. */
export function wholeQuarters({ from, to }: Stretch): Stretch {
  return { from: quarterOf(from), to: Math.ceil(to / QUARTER_MS) * QUARTER_MS };
}

/** A stretch with what it is called in its time zone: `2026-03-29T03:00+02:00`, `2026-03-29` or `2026-03`; '' for a whole period. */
export interface NamedStretch extends Stretch {
  name: string;
}

/**
 * A period cut where hours, days or months begin in a time zone. A day of the change to summer time has 23 hours, one of the change back has 25.
 * The first and the last stretch may be partial.
 */
export function stretches({ from, to }: Stretch, group: TimeGroup | undefined, timeZone: string): NamedStretch[] {
  if (group === undefined) return [{ from, to, name: '' }];
  const result: NamedStretch[] = [];
  for (const { at, name } of starts(from, to, group, timeZone)) {
    const last = result.at(-1);
    if (last) last.to = at;
    result.push({ from: Math.max(at, from), to, name });
  }
  return result;
}

interface Start {
  at: number;
  name: string;
}

/** When the groups of a period begin; the first one maybe before it. */
function starts(from: number, to: number, group: TimeGroup, timeZone: string): Start[] {
  if (group === 'hour') return hours(from, to, timeZone);
  const list: Start[] = [];
  const first = dayAt(timeZone, from);
  let day = group === 'day' ? first : { ...first, day: 1 };
  let at = startOfDay(timeZone, day);
  let offset = offsetAt(timeZone, at);
  while (at < to) {
    const name = new Date(Date.UTC(day.year, day.month - 1, day.day)).toISOString().slice(0, group === 'day' ? 10 : 7);
    // Where clocks go back over midnight, the end of a day is shown again after the next one has begun; and a day that was left out has no time.
    while (list.at(-1) && list.at(-1)!.at >= at) list.pop();
    list.push({ at, name });
    day = addDays(group === 'day' ? { ...day, day: day.day + 1 } : { ...day, month: day.month + 1 }, 0);
    const midnight = at + DAY_MS;
    const next = group === 'day' ? offsetAt(timeZone, midnight) : Number.NaN;
    // To ask a time zone is slow; most days have 24 hours.
    at = next === offset ? midnight : startOfDay(timeZone, day);
    // A day that was left out begins when the one after it does.
    if (next !== offset) offset = dayAt(timeZone, at).day === day.day ? offsetAt(timeZone, at) : Number.NaN;
  }
  while (list.length > 1 && list[1]!.at <= from) list.shift();
  return list;
}

/** By the offset, not by the name: an hour that comes twice is two. */
function hours(from: number, to: number, timeZone: string): Start[] {
  const list: Start[] = [];
  for (let instant = from; instant < to;) {
    const offset = offsetAt(timeZone, instant);
    const at = Math.floor((instant + offset) / HOUR_MS) * HOUR_MS - offset;
    const minutes = Math.abs(offset) / MINUTE;
    const zone = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0')).join(':');
    list.push({
      at: Math.max(at, list.length > 0 ? instant : at),
      name: `${new Date(at + offset).toISOString().slice(0, 16)}${offset < 0 ? '-' : '+'}${zone}`,
    });
    instant = at + HOUR_MS;
  }
  return list;
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
