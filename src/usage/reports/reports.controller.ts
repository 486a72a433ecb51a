import { Controller, Get, Param, Query, Res, type StreamableFile } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { ok, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { ApiReportFile, download, reportPage } from './report-answers';
import { ReportStore } from './report-store';
import { DownloadReportQueryDto, ListReportsQueryDto } from './reports.dto';
import { UsageReportView } from './reports.view';

const ID = { name: 'id', description: 'Id of the report.', example: 'rpt_01kaqz9yq8e5v6m3c2n1b0a9s8' };
const PATH = '/v1/usage/reports';

@ApiTags('Usage reports')
@Controller('v1/usage/reports')
export class ReportsController {
  constructor(private readonly reports: ReportStore) {}

  @Get()
  @Scopes('usage:read')
  @ApiOperation({
    operationId: 'listUsageReports',
    summary: 'List the reports that your schedules made, newest first',
    description: 'With their figures in sum, and what came of their deliveries. Kept for 400 days.',
  })
  @ApiPage(UsageReportView, { description: 'A page of reports.' })
  @ApiProblems('invalid_request')
  list(@CurrentTenant() tenant: Principal, @Query() query: ListReportsQueryDto): Promise<Page<UsageReportView>> {
    return reportPage(this.reports, tenant.clientId, query, PATH);
  }

  @Get(':id')
  @Scopes('usage:read')
  @ApiOperation({
    operationId: 'downloadUsageReport',
    summary: 'Download a report',
    description:
      'The file itself, as it was attached to mails. What is known of it: `GET /v1/usage/reports/{id}/details`.',
  })
  @ApiParam(ID)
  @ApiReportFile()
  @ApiProblems('invalid_request', 'not_found')
  download(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Query() query: DownloadReportQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile> {
    return download(this.reports, tenant.clientId, id, query, response);
  }

  @Get(':id/details')
  @Scopes('usage:read')
  @ApiOperation({
    operationId: 'getUsageReport',
    summary: 'Read what is known of a report',
    description: 'Its period, its figures in sum, and every try to deliver it.',
  })
  @ApiParam(ID)
  @ApiData(UsageReportView, { description: 'The report, without the file.' })
  @ApiProblems('not_found')
  async get(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<UsageReportView>> {
    return ok(UsageReportView.of(await this.reports.get(tenant.clientId, id), PATH));
  }
}
