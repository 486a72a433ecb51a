import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString, MaxLength } from 'class-validator';
import { Problem } from '../../kernel/problem';
import { addDays, dayAt, isTimeZone, startOfDay, type CalendarDay } from '../../kernel/time-zone';
import { TimeText, isTime, timeOf } from '../../platform/http/query-text';

const DEFAULT_DAYS = 30;
/** Nothing was sent before, and zones were odd long ago. */
const EARLIEST = Date.UTC(2000, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);
export const DAY_MS = 86_400_000;

/** The period of a look at usage. */
export class UsagePeriodQueryDto {
  @ApiPropertyOptional({
    description:
      'From when messages count, by when they were accepted: RFC 3339, or a date in the time zone. Times are moved back to a whole quarter of an hour. Default: the day 30 days before `to`.',
    example: '2026-11-01',
  })
  @IsOptional()
  @IsString()
  @MaxLength(64)
  @TimeText()
  from?: string;

  @ApiPropertyOptional({
    description:
      'Until when: RFC 3339, exclusive; or a date in the time zone, which is included. Times are moved forward to a whole quarter of an hour. Default: now.',
    example: '2026-11-22',
  })
  @IsOptional()
  @IsString()
  @MaxLength(64)
  @TimeText()
  to?: string;

  @ApiPropertyOptional({
    description: 'IANA name: where days begin. Default: `time_zone` of the tenant’s settings.',
    example: 'Europe/Rome',
  })
  @IsOptional()
  @IsString()
  @MaxLength(64)
  time_zone?: string;
}

/** A period in a time zone; milliseconds since the epoch, `to` exclusive. */
export interface UsagePeriod {
  from: number;
  to: number;
  timeZone: string;
}

/**
 * Reads a period with its defaults.
 * @param mostDays the longest that may be asked for
 * @throws Problem 400 naming the field
 */
export function usagePeriodOf(
  query: UsagePeriodQueryDto,
  defaults: { timeZone: string; now: number; mostDays: number },
): UsagePeriod {
  const timeZone = query.time_zone ?? defaults.timeZone;
  if (!isTimeZone(timeZone))
    throw Problem.field('time_zone', 'invalid_time_zone', 'must be an IANA name such as Europe/Rome');
  const to = query.to === undefined ? defaults.now : instantOf('to', query.to, timeZone);
  const from =
    query.from === undefined
      ? startOfDay(timeZone, addDays(dayAt(timeZone, to), -DEFAULT_DAYS))
      : instantOf('from', query.from, timeZone);
  if (from >= to) throw Problem.field('from', 'invalid_range', 'must be before to');
  if (to - from > (defaults.mostDays + 1) * DAY_MS)
    throw Problem.field('from', 'range_too_long', `must be at most ${defaults.mostDays} days before to`);
  return { from, to, timeZone };
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;

function instantOf(field: 'from' | 'to', text: string, timeZone: string): number {
  const day = dayOf(text);
  const ofDay = day && startOfDay(timeZone, field === 'to' ? addDays(day, 1) : day);
  const at = ofDay ?? (isTime(text) ? timeOf(text) : Number.NaN);
  if (Number.isNaN(at))
    throw Problem.field(field, 'invalid_date', 'must be a time of RFC 3339 with its zone, or a date');
  if (at < EARLIEST || at > LATEST) throw Problem.field(field, 'out_of_range', 'must be between 2000 and 2100');
  return at;
}

/** A day that there is. */
function dayOf(text: string): CalendarDay | undefined {
  const match = DATE.exec(text);
  if (!match) return undefined;
  const [year, month, date] = match.slice(1).map(Number);
  const day: CalendarDay = { year: year!, month: month!, day: date! };
  return addDays(day, 0).day === date && addDays(day, 0).month === month ? day : undefined;
}
