import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { whole, type Page } from '../../platform/http/envelope';
import { ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { QuotaReader } from './quota-reader';
import { QuotaView } from './quota.view';

@ApiTags('Quotas')
@Controller('v1/quotas')
export class QuotasController {
  constructor(private readonly quotas: QuotaReader) {}

  @Get()
  @Scopes('usage:read')
  @ApiOperation({
    operationId: 'listQuotas',
    summary: 'How far your quotas are used',
    description:
      'Your tenant’s own quotas, which the operator sets, then those of your configs, which you set. Each accepted message counts once, on the day that it is accepted, whatever becomes of it (one that is canceled or fails still counts); sandbox sends, dry runs, repeats with the same idempotency key and refused sends do not count. A message counts for the config that it is accepted for, and for each further one that it goes on to.',
  })
  @ApiPage(QuotaView, { description: 'Every quota, on one page; empty when nothing is limited.' })
  @ApiProblems()
  async list(@CurrentTenant() tenant: Principal): Promise<Page<QuotaView>> {
    return whole(await this.quotas.ofAll(tenant.clientId));
  }
}
