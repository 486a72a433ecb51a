import { ApiProperty } from '@nestjs/swagger';
import { QUOTA_MODES, QUOTA_PERIODS, type QuotaMode, type QuotaPeriod } from '../../tenancy/quotas';

const CONFIG_ID = 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8';

/** How far one quota is used. */
export class QuotaView {
  @ApiProperty({
    description: 'Whose messages it counts: all of the tenant, or those of one config.',
    enum: ['tenant', 'config'],
    example: 'tenant',
  })
  scope: 'tenant' | 'config';

  @ApiProperty({
    description: 'The config; null for a quota of the tenant.',
    type: String,
    nullable: true,
    example: CONFIG_ID,
  })
  config_id: string | null;

  @ApiProperty({ description: 'A day or a calendar month.', enum: QUOTA_PERIODS, example: 'daily' })
  period: QuotaPeriod;

  @ApiProperty({
    description: '`hard`: sends over it are refused (429 `quota_exceeded`); `soft`: events tell of them.',
    enum: QUOTA_MODES,
    example: 'hard',
  })
  mode: QuotaMode;

  @ApiProperty({ description: 'Most messages of the period.', type: 'integer', example: 10000 })
  limit: number;

  @ApiProperty({
    description: 'Messages accepted in the period. A soft quota may be over its limit.',
    type: 'integer',
    example: 4200,
  })
  used: number;

  @ApiProperty({ description: 'Messages left.', type: 'integer', example: 5800 })
  remaining: number;

  @ApiProperty({
    description: 'The time zone that the periods follow; a setting of the tenant.',
    example: 'Europe/Rome',
  })
  time_zone: string;

  @ApiProperty({ description: 'When the period began.', format: 'date-time', example: '2026-11-21T23:00:00.000Z' })
  period_start: string;

  @ApiProperty({ description: 'When the next one begins.', format: 'date-time', example: '2026-11-22T23:00:00.000Z' })
  resets_at: string;

  @ApiProperty({
    description:
      'The share of the quota that is used, divided by the share of the period that has passed: over 1, it will not last. Null when the limit is 0 and it is over.',
    type: Number,
    nullable: true,
    example: 0.84,
  })
  burn_rate: number | null;

  @ApiProperty({
    description: 'When it is used up if sends go on at this pace; null when it lasts until the period ends.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  projected_exhaustion_at: string | null;
}
