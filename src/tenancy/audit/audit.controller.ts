import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Problem } from '../../kernel/problem';
import { page, type Page } from '../../platform/http/envelope';
import { ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { timeOf } from '../../platform/http/query-text';
import { AdminOnly, CurrentTenant, Scopes } from '../auth.decorators';
import type { Principal } from '../principal';
import { AuditLog, type AuditFilter } from './audit-log';
import { AuditEntryView, ListAllAuditQueryDto, ListAuditQueryDto } from './audit.dto';

/** Who changed what, and who was shown a secret: for a tenant its own entries, for the operator everybody's. */
@ApiTags('Audit')
@Controller()
export class AuditController {
  constructor(private readonly log: AuditLog) {}

  @Get('v1/audit')
  @Scopes('keys:write')
  @ApiOperation({
    operationId: 'listAudit',
    summary: 'List who changed what of yours, and who was shown a secret, newest first',
    description:
      'An entry for every change of keys, configs, gateways, webhooks, suppressions, numbers, templates, schedules and settings, and for every answer that showed a secret. Names of fields, never their values. Entries are neither changed nor deleted.',
  })
  @ApiPage(AuditEntryView, { description: 'A page of entries.' })
  @ApiProblems('invalid_request')
  list(@CurrentTenant() tenant: Principal, @Query() query: ListAuditQueryDto): Promise<Page<AuditEntryView>> {
    return this.page(filterOf(query, tenant.clientId));
  }

  @Get('admin/audit')
  @AdminOnly()
  @ApiOperation({
    operationId: 'listAllAudit',
    summary: 'List who changed what of any tenant, and who was shown a secret, newest first',
    description: 'Besides, what was done to all secrets: a rotation of the encryption keys.',
  })
  @ApiPage(AuditEntryView, { description: 'A page of entries.' })
  @ApiProblems('invalid_request')
  listAll(@Query() query: ListAllAuditQueryDto): Promise<Page<AuditEntryView>> {
    const { client_id: clientId, ...rest } = query;
    return this.page(filterOf(rest, clientId));
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

/** @throws Problem when the time ends before it begins */
function filterOf(query: ListAuditQueryDto, clientId: string | undefined): AuditFilter {
  const [from, to] = [query.from, query.to].map((text) => (text === undefined ? undefined : timeOf(text)));
  if (from !== undefined && to !== undefined && to < from) throw Problem.field('to', 'invalid_value', 'is before from');
  return { ...query, clientId, from, to };
}
