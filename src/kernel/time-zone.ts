import { IANAZone } from 'luxon';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** A day of the calendar, without a place. */
export interface CalendarDay {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
}

/** Whether the text names a time zone of the IANA database, such as `Europe/Rome` or `UTC`. Offsets such as `+02:00` are none. */
export function isTimeZone(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/.test(name) && IANAZone.isValidZone(name);
}

/** How far local clocks are ahead of UTC at an instant, milliseconds. */
export function offsetAt(zone: string, at: number): number {
  return Math.round(IANAZone.create(zone).offset(at) * MINUTE_MS);
}

/** The day that calendars show in a zone at an instant. */
export function dayAt(zone: string, at: number): CalendarDay {
  const local = new Date(at + offsetAt(zone, at));
  return { year: local.getUTCFullYear(), month: local.getUTCMonth() + 1, day: local.getUTCDate() };
}

/** The day so many days later; also for a day of the month below 1 or above its last. */
export function addDays({ year, month, day }: CalendarDay, days: number): CalendarDay {
  const date = new Date(Date.UTC(year, month - 1, day + days));
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

/**
 * When local clocks show a time of day. One that is shown twice, when clocks go back, is taken the first time; one that is never shown, when they go
 * forward, is as much later as they jump: 02:30 becomes 03:30.
 */
export function instantAt(zone: string, day: CalendarDay, minuteOfDay: number): number {
  return resolve(zone, day, minuteOfDay).at;
}

/**
 * The first instant of a day. Where clocks go forward over midnight the day begins with the jump (01:00, say), and where they go back over it, with
 * the only or the first midnight. So one day ends where the next begins, whatever the clocks do.
 */
export function startOfDay(zone: string, day: CalendarDay): number {
  const { at, jump } = resolve(zone, day, 0);
  return jump ?? at;
}

/** The instant, and where it is never shown, when clocks jump over it. */
function resolve(zone: string, { year, month, day }: CalendarDay, minuteOfDay: number): { at: number; jump?: number } {
  const local = Date.UTC(year, month - 1, day) + minuteOfDay * MINUTE_MS;
  // No zone changes its clocks twice within two days.
  const before = local - offsetAt(zone, local - DAY_MS);
  const after = local - offsetAt(zone, local + DAY_MS);
  const shown = [before, after].filter((at) => at + offsetAt(zone, at) === local);
  if (shown.length > 0) return { at: Math.min(...shown) };
  return { at: before, jump: changeBetween(zone, after, before) };
}

/** The first instant with the offset that `late` has; it changes once between the two. */
function changeBetween(zone: string, early: number, late: number): number {
  const offset = offsetAt(zone, late);
  let [low, high] = [early, late];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(zone, middle) === offset) high = middle;
    else low = middle;
  }
  return high;
}
