import { CHANNELS } from '../../kernel/channel';
import { Problem } from '../../kernel/problem';
import { RECIPIENT_ZONE, type StoredTenantSettings } from '../tenant-settings';
import type { QuietHoursDto, UpdateSettingsDto } from './settings.dto';

/**
 * What is stored after a change. A member that is left out stays, null takes its default; `retention` is merged field by field.
 * @param path where the settings are in the body, for the names of wrong fields
 * @throws Problem for quiet hours that begin when they end
 */
export function changedSettings(
  stored: StoredTenantSettings,
  changes: UpdateSettingsDto,
  path = '',
): StoredTenantSettings {
  const next: StoredTenantSettings = { ...stored };
  const { time_zone, alert_emails, quiet_hours, retention, error_budget_objective } = changes;
  if (time_zone !== undefined) next.time_zone = time_zone ?? undefined;
  if (alert_emails !== undefined) next.alert_emails = alert_emails ?? undefined;
  if (quiet_hours !== undefined) next.quiet_hours = quiet_hours && quietHours(quiet_hours, path);
  if (retention !== undefined) next.retention = retention === null ? undefined : { ...next.retention, ...retention };
  if (error_budget_objective !== undefined) next.error_budget_objective = error_budget_objective ?? undefined;
  return next;
}

function quietHours(input: QuietHoursDto, path: string): NonNullable<StoredTenantSettings['quiet_hours']> {
  const { start, end } = input;
  // A window of 0 or of 24 hours: nobody can tell which.
  if (start === end) throw Problem.field(`${path}quiet_hours.end`, 'invalid_value', 'must not be the same as start');
  return { start, end, time_zone: input.time_zone ?? RECIPIENT_ZONE, channels: input.channels ?? [...CHANNELS] };
}
