import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { ok, type Success } from '../platform/http/envelope';
import { ApiData, ApiProblems } from '../platform/http/openapi.decorators';
import { CurrentTenant, Scopes } from '../tenancy/auth.decorators';
import type { Principal } from '../tenancy/principal';
import { UsageQueryDto } from './usage.dto';
import { UsageView } from './usage-group.view';
import { UsageService } from './usage.service';

@ApiTags('Usage')
@Controller('v1/usage')
export class UsageController {
  constructor(private readonly usage: UsageService) {}

  @Get()
  @Scopes('usage:read')
  @ApiOperation({
    operationId: 'getUsage',
    summary: 'What was sent, how it fared and what it cost',
    description:
      'Counts each message once, in the period in which it was accepted and under what it is now: a message that is delivered after all moves from `failed` to `delivered`, a price that is told later is added. Exact up to this moment. Figures stay when messages are erased.',
  })
  @ApiData(UsageView, { description: 'The figures of the period, in all and in groups.' })
  @ApiProblems('invalid_request', 'not_found')
  async get(@CurrentTenant() tenant: Principal, @Query() query: UsageQueryDto): Promise<Success<UsageView>> {
    return ok(await this.usage.ofTenant(tenant.clientId, query));
  }
}
