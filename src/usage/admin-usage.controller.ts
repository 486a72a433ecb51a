import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { ok, type Success } from '../platform/http/envelope';
import { ApiData, ApiProblems } from '../platform/http/openapi.decorators';
import { Audited } from '../tenancy/audit/audited.decorator';
import { AdminOnly } from '../tenancy/auth.decorators';
import { AdminUsageQueryDto, RebuildUsageDto } from './usage.dto';
import { AdminUsageView, RebuiltUsageView } from './usage-group.view';
import { UsageRebuild } from './usage-rebuild';
import { UsageService } from './usage.service';

@ApiTags('Usage (operator)')
@AdminOnly()
@Controller('admin/usage')
export class AdminUsageController {
  constructor(
    private readonly usage: UsageService,
    private readonly rebuilds: UsageRebuild,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'getUsageOfTenants',
    summary: 'What all tenants have sent, or one of them',
    description: 'As `GET /v1/usage`, over all tenants; the time zone is UTC unless another one is named.',
  })
  @ApiData(AdminUsageView, { description: 'The figures of the period, in all and in groups.' })
  @ApiProblems('invalid_request', 'not_found')
  async get(@Query() query: AdminUsageQueryDto): Promise<Success<AdminUsageView>> {
    return ok(await this.usage.ofAll(query));
  }

  @Post('rebuild')
  @HttpCode(200)
  @Audited('usage.rebuilt')
  @ApiOperation({
    operationId: 'rebuildUsage',
    summary: 'Count the messages of a tenant anew',
    description:
      'Replaces the counters of whole days (UTC, at most 400) by what the messages say; the figures are the same unless one of the two was changed by hand. Each day is counted in a transaction of its own, and figures can be read meanwhile. Refused for days whose messages may have been deleted (`retention.record_days`).',
  })
  @ApiData(RebuiltUsageView, { description: 'What was counted.' })
  @ApiProblems('invalid_request', 'not_found', 'payload_too_large')
  async rebuild(@Body() body: RebuildUsageDto): Promise<Success<RebuiltUsageView>> {
    return ok(RebuiltUsageView.of(await this.rebuilds.rebuild(body)));
  }
}
