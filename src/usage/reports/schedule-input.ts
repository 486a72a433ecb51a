import { emailKey, isEmailAddress } from '../../kernel/email-address';
import { Problem } from '../../kernel/problem';
import { isTimeZone } from '../../kernel/time-zone';
import type { CreateOperatorScheduleDto, CreateReportScheduleDto, ReportDestinationDto } from './report-schedules.dto';
import type { ReportDestination, ScheduleSettings } from './report-schedule';

/** What a body says, where no decorator can check it. @throws Problem naming the field */
export function settingsOf(body: CreateReportScheduleDto | CreateOperatorScheduleDto): ScheduleSettings {
  if (!isTimeZone(body.time_zone))
    throw Problem.field('time_zone', 'invalid_time_zone', 'must be the IANA name of a time zone, such as Europe/Rome');
  return {
    period: body.period,
    timeZone: body.time_zone,
    at: body.at,
    format: body.format ?? 'csv',
    deliver: destinationsOf(body.deliver ?? []),
  };
}

/** @throws Problem naming the field */
export function destinationsOf(given: readonly ReportDestinationDto[]): ReportDestination[] {
  const seen = new Set<string>();
  return given.map(({ type, to }, index) => {
    const field = `deliver[${index}]`;
    if (type === 'webhook' && to !== undefined) throw Problem.field(`${field}.to`, 'excluded', 'is for `email` only');
    if (type === 'email' && to === undefined) throw Problem.field(`${field}.to`, 'required', 'is required for `email`');
    if (to !== undefined && !isEmailAddress(to))
      throw Problem.field(`${field}.to`, 'invalid_email_address', 'must be one email address');
    const key = to === undefined ? type : emailKey(to);
    if (seen.has(key)) throw Problem.field(field, 'duplicate', 'is there twice');
    seen.add(key);
    return to === undefined ? { type: 'webhook' } : { type: 'email', to };
  });
}
