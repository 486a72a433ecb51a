import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { UsageFiguresView, UsagePanelView } from '../gateway/usage/usage.view';
import type { RebuiltUsage } from './usage-rebuild';

/** Figures of one group. Grouped by status only the numbers of messages tell something; parts, cost, opens and the like are 0. */
export class UsageGroupView extends UsageFiguresView {
  @ApiProperty({
    description:
      'What tells the group: `2026-11-22` (day), `2026-11-22T08:00+01:00` (hour), `2026-11` (month), a channel, the id of a config (`none`: no gateway was asked), a status or a tenant.',
    example: '2026-11-22',
  })
  key: string;

  @ApiProperty({
    description: 'Messages in it: the sends, and those that expired or were canceled.',
    type: 'integer',
    example: 140,
  })
  messages: number;

  @ApiPropertyOptional({
    description: 'Grouped by time: when it begins; not before the period does.',
    format: 'date-time',
    example: '2026-11-21T23:00:00.000Z',
  })
  from?: string;

  @ApiPropertyOptional({
    description: 'Grouped by time: when it ends, exclusive; not after the period does.',
    format: 'date-time',
    example: '2026-11-22T23:00:00.000Z',
  })
  to?: string;

  @ApiPropertyOptional({ description: 'Grouped by config: provider key of the account.', example: 'sendgrid' })
  gateway?: string;

  @ApiPropertyOptional({ description: 'Grouped by config: the account’s name.', example: 'Newsletter' })
  display_name?: string;
}

/** `GET /v1/usage`. */
export class UsageView extends UsagePanelView {
  @ApiProperty({ description: 'As asked for; `none` without.', example: 'day' })
  group_by: string;

  @ApiProperty({
    description: 'The same figures in groups; empty with `group_by=none`. Each message is in one group.',
    type: [UsageGroupView],
  })
  groups: UsageGroupView[];
}

/** `GET /admin/usage`. */
export class AdminUsageView extends UsageFiguresView {
  @ApiProperty({
    description: 'The beginning of the period, moved back to a whole quarter of an hour.',
    format: 'date-time',
    example: '2026-10-23T00:00:00.000Z',
  })
  from: string;

  @ApiProperty({
    description: 'Its end, exclusive, moved forward to a whole quarter of an hour.',
    format: 'date-time',
    example: '2026-11-22T08:45:00.000Z',
  })
  to: string;

  @ApiProperty({ description: 'The time zone in which dates were read.', example: 'UTC' })
  time_zone: string;

  @ApiProperty({ description: 'As asked for; `none` without.', example: 'tenant' })
  group_by: string;

  @ApiProperty({ description: 'The same figures in groups; empty with `group_by=none`.', type: [UsageGroupView] })
  groups: UsageGroupView[];
}

/** `POST /admin/usage/rebuild`. */
export class RebuiltUsageView {
  @ApiProperty({ description: 'The tenant.', example: 'acme_4k2jx81m0qv7e3hz' })
  client_id: string;

  @ApiProperty({
    description: 'The beginning of the first day.',
    format: 'date-time',
    example: '2026-11-01T00:00:00.000Z',
  })
  from: string;

  @ApiProperty({
    description: 'The end of the last day, exclusive.',
    format: 'date-time',
    example: '2026-11-23T00:00:00.000Z',
  })
  to: string;

  @ApiProperty({ description: 'Messages that count now.', type: 'integer', example: 4200 })
  messages: number;

  static of({ clientId, from, to, messages }: RebuiltUsage): RebuiltUsageView {
    return { client_id: clientId, from: new Date(from).toISOString(), to: new Date(to).toISOString(), messages };
  }
}
