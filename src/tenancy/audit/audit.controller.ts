import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { page, type Page } from '../../platform/http/envelope';
import { ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { AdminOnly, CurrentTenant, Scopes } from '../auth.decorators';
import type { Principal } from '../principal';
import { AuditLog, type AuditFilter } from './audit-log';
import { AuditEntryView, ListAllAuditQueryDto, ListAuditQueryDto } from './audit.dto';

/** Who was shown a secret: for a tenant its own entries, for the operator everybody's. */
@ApiTags('Audit')
@Controller()
export class AuditController {
  constructor(private readonly log: AuditLog) {}

  @Get('v1/audit')
  @Scopes('keys:write')
  @ApiOperation({
    operationId: 'listAudit',
    summary: 'List who was shown a secret of yours, newest first',
    description: 'An entry for every answer that showed one. Never the secret itself.',
  })
  @ApiPage(AuditEntryView, { description: 'A page of entries.' })
  @ApiProblems('invalid_request')
  list(@CurrentTenant() tenant: Principal, @Query() query: ListAuditQueryDto): Promise<Page<AuditEntryView>> {
    return this.page({ ...query, clientId: tenant.clientId });
  }

  @Get('admin/audit')
  @AdminOnly()
  @ApiOperation({
    operationId: 'listAllAudit',
    summary: 'List who was shown a secret of any tenant, newest first',
    description: 'Besides, what was done to all secrets: a rotation of the encryption keys.',
  })
  @ApiPage(AuditEntryView, { description: 'A page of entries.' })
  @ApiProblems('invalid_request')
  listAll(@Query() query: ListAllAuditQueryDto): Promise<Page<AuditEntryView>> {
    const { client_id: clientId, ...rest } = query;
    return this.page({ ...rest, clientId });
  }

  private async page(filter: AuditFilter): Promise<Page<AuditEntryView>> {
    const { entries, next } = await this.log.list(filter);
    return page(
      entries.map((entry) => AuditEntryView.of(entry)),
      next,
      filter.limit,
    );
  }
}
