import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, MaxLength } from 'class-validator';
import { CHANNELS, type Channel } from '../kernel/channel';
import { UsagePeriodQueryDto } from '../gateway/usage/usage-query';

export const USAGE_GROUPS = ['none', 'hour', 'day', 'month', 'channel', 'config', 'status'] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];
export const ADMIN_USAGE_GROUPS = [...USAGE_GROUPS, 'tenant'] as const;
export type AdminUsageGroup = (typeof ADMIN_USAGE_GROUPS)[number];

const GROUP_TEXT =
  'What `groups` tells apart. Hours (at most 31 days), days (at most 400 days) and months are those of the time zone, and are there without figures too. Default `none`.';

export class UsageQueryDto extends UsagePeriodQueryDto {
  @ApiPropertyOptional({
    description: GROUP_TEXT,
    enum: USAGE_GROUPS,
    enumName: 'UsageGroupBy',
    default: 'none',
    example: 'day',
  })
  @IsOptional()
  @IsIn(USAGE_GROUPS)
  group_by?: UsageGroup;

  @ApiPropertyOptional({
    description: 'Only this channel.',
    enum: CHANNELS,
    enumName: 'Channel',
    example: 'email',
  })
  @IsOptional()
  @IsIn(CHANNELS)
  channel?: Channel;

  @ApiPropertyOptional({ description: 'Only this account.', example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @IsOptional()
  @IsString()
  @MaxLength(64)
  config_id?: string;
}

export class AdminUsageQueryDto extends UsagePeriodQueryDto {
  @ApiPropertyOptional({
    description: GROUP_TEXT,
    enum: ADMIN_USAGE_GROUPS,
    enumName: 'AdminUsageGroupBy',
    default: 'none',
    example: 'tenant',
  })
  @IsOptional()
  @IsIn(ADMIN_USAGE_GROUPS)
  group_by?: AdminUsageGroup;

  @ApiPropertyOptional({ description: 'Only this channel.', enum: CHANNELS, enumName: 'Channel', example: 'email' })
  @IsOptional()
  @IsIn(CHANNELS)
  channel?: Channel;

  @ApiPropertyOptional({ description: 'Only this tenant.', example: 'acme_4k2jx81m0qv7e3hz' })
  @IsOptional()
  @IsString()
  @MaxLength(80)
  client_id?: string;
}

export class RebuildUsageDto {
  @ApiProperty({ description: 'The tenant.', example: 'acme_4k2jx81m0qv7e3hz' })
  @IsString()
  @MaxLength(80)
  client_id: string;

  @ApiProperty({
    description: 'The first day of UTC: RFC 3339 or a date; a time is moved back to the beginning of its day.',
    example: '2026-11-01',
  })
  @IsString()
  @MaxLength(64)
  from: string;

  @ApiProperty({
    description: 'The last day of UTC, included: a date; or a time of RFC 3339, moved forward to the end of its day.',
    example: '2026-11-22',
  })
  @IsString()
  @MaxLength(64)
  to: string;
}
