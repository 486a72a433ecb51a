import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Length, Matches } from 'class-validator';
import { PageQueryDto } from '../../platform/http/cursor';
import { TimeFilter } from '../../platform/http/query-text';
import { AUDIT_ACTIONS, type AuditAction } from './audit-actions';
import type { AuditEntry } from './audit-log';

/** The parameters of a tenant's audit list. */
export class ListAuditQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'Only this action.', enum: AUDIT_ACTIONS, example: 'api_key.shown' })
  @IsOptional()
  @IsIn(AUDIT_ACTIONS)
  action?: AuditAction;

  @ApiPropertyOptional({ description: 'Only what was done with this key.', example: 'key_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  actor?: string;

  @ApiPropertyOptional({
    description: 'Only what was done to this object: an id.',
    example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  @IsOptional()
  @IsString()
  @Length(1, 128)
  object?: string;

  @ApiPropertyOptional({
    description: 'Only from this time on: RFC 3339, or a date (UTC).',
    format: 'date-time',
    example: '2026-01-31T00:00:00Z',
  })
  @IsOptional()
  @TimeFilter()
  from?: string;

  @ApiPropertyOptional({
    description: 'Only before this time: RFC 3339, or a date (UTC).',
    format: 'date-time',
    example: '2026-02-28T00:00:00Z',
  })
  @IsOptional()
  @TimeFilter()
  to?: string;
}

/** The parameters of the operator's audit list. */
export class ListAllAuditQueryDto extends ListAuditQueryDto {
  @ApiPropertyOptional({ description: 'Only of this tenant.', example: 'acme_4k2jx81m0qv7e3hz' })
  @IsOptional()
  @IsString()
  @Matches(/^[a-z0-9_-]{1,80}$/, { message: 'client_id must be the id of a tenant' })
  client_id?: string;
}

export class AuditEntryView {
  @ApiProperty({ description: 'Id of the entry.', example: 'aud_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({
    description: 'The tenant; null when it concerns the whole installation.',
    nullable: true,
    type: String,
    example: 'acme_4k2jx81m0qv7e3hz',
  })
  client_id: string | null;

  @ApiProperty({
    description: 'The API key that asked, `operator` for the operator’s key, `command` for a command of the operator.',
    example: 'key_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  actor: string;

  @ApiProperty({ description: 'What was done.', enum: AUDIT_ACTIONS, example: 'webhook_secret.shown' })
  action: AuditAction;

  @ApiProperty({
    description: 'Id of what was changed, or of what the secret belongs to; the tenant’s own where it has none.',
    example: 'whe_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  object: string;

  @ApiProperty({ description: 'When.', format: 'date-time', example: '2026-01-31T12:00:00.000Z' })
  at: string;

  @ApiProperty({
    description: '`X-Request-Id` of the answer; null for a command.',
    nullable: true,
    type: String,
    example: 'req_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  request_id: string | null;

  @ApiProperty({
    description: 'The address that the request came from; null for a command.',
    nullable: true,
    type: String,
    example: '203.0.113.7',
  })
  ip: string | null;

  @ApiProperty({
    description: '`fields`: the names of the fields that the request set; besides, figures. Never a value.',
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { fields: ['credentials.api_key', 'max_per_second'] },
  })
  detail: Record<string, unknown> | null;

  static of(entry: AuditEntry): AuditEntryView {
    return {
      id: entry.id,
      client_id: entry.clientId,
      actor: entry.actor,
      action: entry.action,
      object: entry.object,
      at: entry.at.toISOString(),
      request_id: entry.requestId,
      ip: entry.ip,
      detail: entry.detail ?? null,
    };
  }
}
