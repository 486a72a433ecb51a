import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { PageQueryDto } from '../../platform/http/cursor';
import { ok, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { Audited } from '../../tenancy/audit/audited.decorator';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { CreateReportScheduleDto, UpdateReportScheduleDto } from './report-schedules.dto';
import { ReportSchedulesService } from './report-schedules.service';
import { DeletedReportScheduleView, ReportScheduleView } from './report-schedules.view';
import { destinationsOf, settingsOf } from './schedule-input';
import { schedulePage } from './schedule-page';

const ID = { name: 'id', description: 'Id of the schedule.', example: 'sch_01kaqz9yq8e5v6m3c2n1b0a9s8' };

@ApiTags('Usage reports')
@Controller('v1/usage/schedules')
export class ReportSchedulesController {
  constructor(private readonly schedules: ReportSchedulesService) {}

  @Post()
  @Scopes('configs:write')
  @Audited('report_schedule.created')
  @ApiOperation({
    operationId: 'createReportSchedule',
    summary: 'Have your usage reported every day, week or month',
    description:
      'Each period is reported exactly once, also those that ended while the service was down. A report says what was so when it was made (`generated_at`); what providers report later changes `GET /v1/usage`, and no report. The first one is the one that is due next.',
  })
  @ApiData(ReportScheduleView, { status: 201, description: 'The schedule.' })
  @ApiProblems('invalid_request', 'conflict', 'payload_too_large')
  async create(
    @CurrentTenant() tenant: Principal,
    @Body() body: CreateReportScheduleDto,
  ): Promise<Success<ReportScheduleView>> {
    return ok(ReportScheduleView.of(await this.schedules.create(tenant.clientId, settingsOf(body))));
  }

  @Get()
  @Scopes('usage:read')
  @ApiOperation({ operationId: 'listReportSchedules', summary: 'List report schedules, newest first' })
  @ApiPage(ReportScheduleView, { description: 'A page of schedules.' })
  @ApiProblems('invalid_request')
  list(@CurrentTenant() tenant: Principal, @Query() query: PageQueryDto): Promise<Page<ReportScheduleView>> {
    return schedulePage(this.schedules, tenant.clientId, query);
  }

  @Get(':id')
  @Scopes('usage:read')
  @ApiOperation({ operationId: 'getReportSchedule', summary: 'Read a report schedule' })
  @ApiParam(ID)
  @ApiData(ReportScheduleView, { description: 'The schedule.' })
  @ApiProblems('not_found')
  async get(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<ReportScheduleView>> {
    return ok(ReportScheduleView.of(await this.schedules.get(tenant.clientId, id)));
  }

  @Patch(':id')
  @Scopes('configs:write')
  @Audited('report_schedule.updated')
  @ApiOperation({
    operationId: 'updateReportSchedule',
    summary: 'Change when, how and where to reports go',
    description: 'Its periods stay as they are: for others, make another schedule and delete this one.',
  })
  @ApiParam(ID)
  @ApiData(ReportScheduleView, { description: 'The schedule as it is now.' })
  @ApiProblems('invalid_request', 'not_found', 'payload_too_large')
  async update(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Body() { deliver, at, format }: UpdateReportScheduleDto,
  ): Promise<Success<ReportScheduleView>> {
    const changes = { at, format, deliver: deliver && destinationsOf(deliver) };
    return ok(ReportScheduleView.of(await this.schedules.update(tenant.clientId, id, changes)));
  }

  @Delete(':id')
  @Scopes('configs:write')
  @Audited('report_schedule.deleted')
  @ApiOperation({ operationId: 'deleteReportSchedule', summary: 'Delete a report schedule; its reports stay' })
  @ApiParam(ID)
  @ApiData(DeletedReportScheduleView, { description: 'It is deleted.' })
  @ApiProblems('not_found')
  async delete(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
  ): Promise<Success<DeletedReportScheduleView>> {
    await this.schedules.delete(tenant.clientId, id);
    return ok({ id, deleted: true });
  }
}
