import { Body, Controller, Delete, Get, Param, Patch, Post, Query, Res, type StreamableFile } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { PageQueryDto } from '../../platform/http/cursor';
import { ok, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { Audited } from '../../tenancy/audit/audited.decorator';
import { AdminOnly } from '../../tenancy/auth.decorators';
import { ApiReportFile, download, reportPage } from './report-answers';
import { CreateOperatorScheduleDto, UpdateOperatorScheduleDto } from './report-schedules.dto';
import { ReportSchedulesService } from './report-schedules.service';
import { DeletedReportScheduleView, ReportScheduleView } from './report-schedules.view';
import { ReportStore } from './report-store';
import { DownloadReportQueryDto, ListReportsQueryDto } from './reports.dto';
import { UsageReportView } from './reports.view';
import { destinationsOf, settingsOf } from './schedule-input';
import { schedulePage } from './schedule-page';

const SCHEDULE = { name: 'id', description: 'Id of the schedule.', example: 'sch_01kaqz9yq8e5v6m3c2n1b0a9s8' };
const REPORT = { name: 'id', description: 'Id of the report.', example: 'rpt_01kaqz9yq8e5v6m3c2n1b0a9s8' };
const PATH = '/admin/usage/reports';

/** Reports over all tenants, for who runs this service. */
@ApiTags('Tenants (operator)')
@AdminOnly()
@Controller('admin/usage')
export class OperatorReportsController {
  constructor(
    private readonly schedules: ReportSchedulesService,
    private readonly reports: ReportStore,
  ) {}

  @Post('schedules')
  @Audited('report_schedule.created')
  @ApiOperation({
    operationId: 'createOperatorReportSchedule',
    summary: 'Have the usage of all tenants reported every day, week or month',
    description: 'As `POST /v1/usage/schedules`, with a row for each tenant. By mail, or for download only.',
  })
  @ApiData(ReportScheduleView, { status: 201, description: 'The schedule.' })
  @ApiProblems('invalid_request', 'conflict', 'payload_too_large')
  async create(@Body() body: CreateOperatorScheduleDto): Promise<Success<ReportScheduleView>> {
    return ok(ReportScheduleView.of(await this.schedules.create(null, settingsOf(body))));
  }

  @Get('schedules')
  @ApiOperation({
    operationId: 'listOperatorReportSchedules',
    summary: 'List the schedules of reports over all tenants, newest first',
  })
  @ApiPage(ReportScheduleView, { description: 'A page of schedules.' })
  @ApiProblems('invalid_request')
  list(@Query() query: PageQueryDto): Promise<Page<ReportScheduleView>> {
    return schedulePage(this.schedules, null, query);
  }

  @Get('schedules/:id')
  @ApiOperation({ operationId: 'getOperatorReportSchedule', summary: 'Read a schedule of reports over all tenants' })
  @ApiParam(SCHEDULE)
  @ApiData(ReportScheduleView, { description: 'The schedule.' })
  @ApiProblems('not_found')
  async get(@Param('id') id: string): Promise<Success<ReportScheduleView>> {
    return ok(ReportScheduleView.of(await this.schedules.get(null, id)));
  }

  @Patch('schedules/:id')
  @Audited('report_schedule.updated')
  @ApiOperation({
    operationId: 'updateOperatorReportSchedule',
    summary: 'Change when, how and where to reports over all tenants go',
  })
  @ApiParam(SCHEDULE)
  @ApiData(ReportScheduleView, { description: 'The schedule as it is now.' })
  @ApiProblems('invalid_request', 'not_found', 'payload_too_large')
  async update(
    @Param('id') id: string,
    @Body() { deliver, at, format }: UpdateOperatorScheduleDto,
  ): Promise<Success<ReportScheduleView>> {
    const changes = { at, format, deliver: deliver && destinationsOf(deliver) };
    return ok(ReportScheduleView.of(await this.schedules.update(null, id, changes)));
  }

  @Delete('schedules/:id')
  @Audited('report_schedule.deleted')
  @ApiOperation({
    operationId: 'deleteOperatorReportSchedule',
    summary: 'Delete a schedule of reports over all tenants; its reports stay',
  })
  @ApiParam(SCHEDULE)
  @ApiData(DeletedReportScheduleView, { description: 'It is deleted.' })
  @ApiProblems('not_found')
  async delete(@Param('id') id: string): Promise<Success<DeletedReportScheduleView>> {
    await this.schedules.delete(null, id);
    return ok({ id, deleted: true });
  }

  @Get('reports')
  @ApiOperation({ operationId: 'listOperatorUsageReports', summary: 'List reports over all tenants, newest first' })
  @ApiPage(UsageReportView, { description: 'A page of reports.' })
  @ApiProblems('invalid_request')
  listReports(@Query() query: ListReportsQueryDto): Promise<Page<UsageReportView>> {
    return reportPage(this.reports, null, query, PATH);
  }

  @Get('reports/:id')
  @ApiOperation({ operationId: 'downloadOperatorUsageReport', summary: 'Download a report over all tenants' })
  @ApiParam(REPORT)
  @ApiReportFile()
  @ApiProblems('invalid_request', 'not_found')
  download(
    @Param('id') id: string,
    @Query() query: DownloadReportQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile> {
    return download(this.reports, null, id, query, response);
  }

  @Get('reports/:id/details')
  @ApiOperation({ operationId: 'getOperatorUsageReport', summary: 'Read what is known of a report over all tenants' })
  @ApiParam(REPORT)
  @ApiData(UsageReportView, { description: 'The report, without the file.' })
  @ApiProblems('not_found')
  async getReport(@Param('id') id: string): Promise<Success<UsageReportView>> {
    return ok(UsageReportView.of(await this.reports.get(null, id), PATH));
  }
}
