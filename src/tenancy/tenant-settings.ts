import type { Channel } from '../kernel/channel';

/** The value of `QuietHours.timeZone` that means the recipient's own clock. */
export const RECIPIENT_ZONE = 'recipient';

/** When a tenant's recipients are left alone. */
export interface QuietHours {
  /** `HH:MM`; the window begins. */
  readonly start: string;
  /** `HH:MM`, exclusive; earlier than `start`: the window goes over midnight. */
  readonly end: string;
  /** `recipient`: the clock of the country that the number belongs to; else an IANA name. */
  readonly timeZone: string;
  readonly channels: readonly Channel[];
}

/** What a tenant has set for itself; every field has a value. Kept in `tenants.settings`, snake_case. */
export interface TenantSettings {
  /** IANA name; days and months of quotas and usage begin by it. */
  readonly timeZone: string;
  /** Who is mailed when an alert is raised or cleared. */
  readonly alertEmails: readonly string[];
  /** Null: none. */
  readonly quietHours: QuietHours | null;
  /** Days after which bodies and whole records are erased; null: kept. */
  readonly retention: { readonly bodyDays: number | null; readonly recordDays: number | null };
  /** Share of messages that must not fail, above 0 and below 1. */
  readonly errorBudgetObjective: number;
}

/** As `tenants.settings` holds it. A member that is missing has its default. */
export interface StoredTenantSettings {
  time_zone?: string;
  alert_emails?: string[];
  quiet_hours?: { start: string; end: string; time_zone: string; channels: Channel[] } | null;
  retention?: { body_days?: number | null; record_days?: number | null };
  error_budget_objective?: number;
}

export const DEFAULT_TIME_ZONE = 'UTC';
/** 5 % may fail: carriers do not deliver every message, so a stricter one would be red in good times. */
export const DEFAULT_ERROR_BUDGET_OBJECTIVE = 0.95;

/** What is stored, with defaults. The fields were validated when they were stored. */
export function tenantSettings(stored: Readonly<Record<string, unknown>>): TenantSettings {
  const { time_zone, alert_emails, quiet_hours, retention, error_budget_objective } = stored as StoredTenantSettings;
  return {
    timeZone: time_zone ?? DEFAULT_TIME_ZONE,
    alertEmails: alert_emails ?? [],
    quietHours: quiet_hours
      ? {
          start: quiet_hours.start,
          end: quiet_hours.end,
          timeZone: quiet_hours.time_zone,
          channels: quiet_hours.channels,
        }
      : null,
    retention: { bodyDays: retention?.body_days ?? null, recordDays: retention?.record_days ?? null },
    errorBudgetObjective: error_budget_objective ?? DEFAULT_ERROR_BUDGET_OBJECTIVE,
  };
}
