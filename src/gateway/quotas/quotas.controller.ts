import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { ok, type Success } from '../../platform/http/envelope';
import { ApiData, ApiProblems } from '../../platform/http/openapi.decorators';
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
  @ApiData(QuotaView, { isArray: true, description: 'Every quota; empty when nothing is limited.' })
  @ApiProblems()
  async list(@CurrentTenant() tenant: Principal): Promise<Success<QuotaView[]>> {
    return ok(await this.quotas.ofAll(tenant.clientId));
  }
}
