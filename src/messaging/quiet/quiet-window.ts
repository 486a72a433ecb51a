import { addDays, dayAt, instantAt, offsetAt } from '../../kernel/time-zone';

/** What holds from an instant on, `until` another one (milliseconds since the epoch). */
export interface QuietVerdict {
  quiet: boolean;
  until: number;
}

/** When the quiet begins and ends each day, in minutes from midnight; an end before the start is on the next day. */
export interface DailyWindow {
  start: number;
  end: number;
}

const HOUR_MS = 3_600_000;
/** When no moment of two days is free in all zones, none ever is. */
const HORIZON_MS = 48 * HOUR_MS;

/** `21:30` in minutes from midnight. */
export function minuteOfDay(text: string): number {
  const [hours, minutes] = text.split(':');
  return Number(hours) * 60 + Number(minutes);
}

/**
 * Whether it is quiet in one of the zones, and until when that stays so. Where several zones leave no moment of the day free, the one in the middle
 * of them decides, so that nobody is beyond reach for ever.
 */
export function quietAt(window: DailyWindow, zones: readonly string[], at: number): QuietVerdict {
  let end = at;
  for (let until = quietUntil(window, zones, end); until > end; until = quietUntil(window, zones, end)) {
    end = until;
    if (end > at + HORIZON_MS) return inZone(window, middleOf(zones, at), at);
  }
  if (end > at) return { quiet: true, until: end };
  return { quiet: false, until: Math.min(...zones.map((zone) => inZone(window, zone, at).until)) };
}

/** When the last of the windows ends that are open at an instant; the instant itself when none is. */
function quietUntil(window: DailyWindow, zones: readonly string[], at: number): number {
  let until = at;
  for (const zone of zones) {
    const verdict = inZone(window, zone, at);
    if (verdict.quiet && verdict.until > until) until = verdict.until;
  }
  return until;
}

/** A window goes from one instant to another, whatever the clocks between them do: none opens again because an hour comes twice. */
function inZone({ start, end }: DailyWindow, zone: string, at: number): QuietVerdict {
  const today = dayAt(zone, at);
  for (const days of [-1, 0, 1]) {
    const from = instantAt(zone, addDays(today, days), start);
    if (at < from) return { quiet: false, until: from };
    const to = instantAt(zone, addDays(today, end <= start ? days + 1 : days), end);
    if (at < to) return { quiet: true, until: to };
  }
  throw new Error('a day has no end');
}

function middleOf(zones: readonly string[], at: number): string {
  const sorted = [...zones].sort((one, other) => offsetAt(one, at) - offsetAt(other, at));
  return sorted[Math.floor(sorted.length / 2)]!;
}
