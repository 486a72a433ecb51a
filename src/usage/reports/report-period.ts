import { addDays, dayAt, instantAt, startOfDay, type CalendarDay } from '../../kernel/time-zone';

export const REPORT_PERIODS = ['daily', 'weekly', 'monthly'] as const;
export type ReportPeriodKind = (typeof REPORT_PERIODS)[number];

/** What decides when the periods of a schedule begin, and when each is reported. */
export interface Timetable {
  readonly period: ReportPeriodKind;
  /** IANA name. */
  readonly timeZone: string;
  /** `HH:MM` by the clocks of the zone. */
  readonly at: string;
}

/** A day, a week from Monday or a month, by the calendar of a zone. Milliseconds since the epoch. */
export interface ReportPeriod {
  /** The first instant of it. */
  readonly from: number;
  /** The first instant of the next one. */
  readonly to: number;
  /** When it is to be reported: at the schedule's time of day on the day after its last, and not before {@link SETTLING_MS} after its end. */
  readonly due: number;
}

/** How long after the end of a period its last messages have to be handed over, and to be reported on. */
export const SETTLING_MS = 5 * 60_000;
/** Moves by which a zone's clocks are changed are far below it. */
const HALF_A_DAY_MS = 12 * 3_600_000;

/** The period that an instant is in. Every instant is in exactly one: they follow each other without gap and without overlap. */
export function periodAt(timetable: Timetable, at: number): ReportPeriod {
  return periodOf(timetable, firstDay(timetable.period, dayAt(timetable.timeZone, at)), at);
}

/**
 * The period that begins at `from`, where the one before it ended. It is that one also when the zone's rules have changed since, so that nothing is
 * reported twice or left out: then it is longer or shorter.
 */
export function periodFrom(timetable: Timetable, from: number): ReportPeriod {
  return { ...periodAt(timetable, from + HALF_A_DAY_MS), from };
}

export function nextPeriod(timetable: Timetable, { to }: ReportPeriod): ReportPeriod {
  return periodAt(timetable, to);
}

export function previousPeriod(timetable: Timetable, { from }: ReportPeriod): ReportPeriod {
  return periodAt(timetable, from - 1);
}

/** The first period that is due after an instant: what a schedule that is made then begins with. */
export function firstDueAfter(timetable: Timetable, at: number): ReportPeriod {
  let period = periodAt(timetable, at);
  for (;;) {
    const earlier = previousPeriod(timetable, period);
    if (earlier.due <= at) return period;
    period = earlier;
  }
}

/** Hours of a period, by the clock on the wall; a day has 23 or 25 where clocks are changed. */
export function hoursOf({ from, to }: Pick<ReportPeriod, 'from' | 'to'>): number {
  return (to - from) / 3_600_000;
}

function periodOf(timetable: Timetable, first: CalendarDay, at: number): ReportPeriod {
  const { timeZone } = timetable;
  const from = startOfDay(timeZone, first);
  // Where clocks go back over midnight, the evening before comes once more after the day has begun.
  if (at < from) return periodOf(timetable, firstDay(timetable.period, addDays(first, -1)), at);
  const after = dayAfter(timetable.period, first);
  const to = startOfDay(timeZone, after);
  if (at >= to) return periodOf(timetable, after, at);
  return { from, to, due: Math.max(to + SETTLING_MS, instantAt(timeZone, after, minuteOf(timetable.at))) };
}

function firstDay(period: ReportPeriodKind, day: CalendarDay): CalendarDay {
  if (period === 'daily') return day;
  if (period === 'monthly') return { ...day, day: 1 };
  const weekday = new Date(Date.UTC(day.year, day.month - 1, day.day)).getUTCDay();
  return addDays(day, -((weekday + 6) % 7));
}

function dayAfter(period: ReportPeriodKind, first: CalendarDay): CalendarDay {
  if (period === 'daily') return addDays(first, 1);
  if (period === 'weekly') return addDays(first, 7);
  return first.month === 12 ? { year: first.year + 1, month: 1, day: 1 } : { ...first, month: first.month + 1 };
}

function minuteOf(at: string): number {
  const [hour, minute] = at.split(':');
  return Number(hour) * 60 + Number(minute);
}
