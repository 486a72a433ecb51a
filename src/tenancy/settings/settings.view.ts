import { ApiProperty } from '@nestjs/swagger';
import { CHANNELS } from '../../kernel/channel';
import { RECIPIENT_ZONE, type TenantSettings } from '../tenant-settings';

export class QuietHoursView {
  @ApiProperty({ description: 'When the quiet begins, `HH:MM`.', example: '21:00' })
  start: string;

  @ApiProperty({ description: 'When it ends, `HH:MM`; earlier than `start`: on the next day.', example: '08:00' })
  end: string;

  @ApiProperty({ description: 'Whose clock counts: `recipient`, or an IANA name.', example: RECIPIENT_ZONE })
  time_zone: string;

  @ApiProperty({ description: 'The channels that it holds for.', enum: CHANNELS, isArray: true, example: ['sms'] })
  channels: string[];
}

export class RetentionView {
  @ApiProperty({
    description: 'Days after which bodies and personal fields are erased; null: kept.',
    type: 'integer',
    nullable: true,
    example: 90,
  })
  body_days: number | null;

  @ApiProperty({
    description: 'Days after which whole records are deleted; null: kept.',
    type: 'integer',
    nullable: true,
    example: 730,
  })
  record_days: number | null;
}

/** What a tenant has set for itself. */
export class SettingsView {
  @ApiProperty({
    description: 'IANA name; days and months of quotas, usage and reports begin by it.',
    example: 'Europe/Rome',
  })
  time_zone: string;

  @ApiProperty({
    description: 'Who is mailed when an alert is raised or cleared.',
    type: [String],
    example: ['ops@acme.example'],
  })
  alert_emails: string[];

  @ApiProperty({ description: 'When recipients are left alone; null: never.', type: QuietHoursView, nullable: true })
  quiet_hours: QuietHoursView | null;

  @ApiProperty({ description: 'When what is stored is erased.', type: RetentionView })
  retention: RetentionView;

  @ApiProperty({ description: 'Share of messages that must not fail.', example: 0.95 })
  error_budget_objective: number;

  static of(settings: TenantSettings): SettingsView {
    const { quietHours, retention } = settings;
    return {
      time_zone: settings.timeZone,
      alert_emails: [...settings.alertEmails],
      quiet_hours: quietHours && {
        start: quietHours.start,
        end: quietHours.end,
        time_zone: quietHours.timeZone,
        channels: [...quietHours.channels],
      },
      retention: { body_days: retention.bodyDays, record_days: retention.recordDays },
      error_budget_objective: settings.errorBudgetObjective,
    };
  }
}
