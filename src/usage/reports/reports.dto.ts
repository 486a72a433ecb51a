import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Length } from 'class-validator';
import { PageQueryDto } from '../../platform/http/cursor';
import { REPORT_FORMATS, type ReportFormat } from './report-schedule';

/** `GET /v1/usage/reports` */
export class ListReportsQueryDto extends PageQueryDto {
  @ApiPropertyOptional({
    description: 'Only reports of this schedule, also when it is deleted.',
    example: 'sch_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  schedule_id?: string;
}

/** `GET /v1/usage/reports/{id}` */
export class DownloadReportQueryDto {
  @ApiPropertyOptional({
    description: 'Download it in this format. Default: the one that its schedule had.',
    enum: REPORT_FORMATS,
    example: 'json',
  })
  @IsOptional()
  @IsIn(REPORT_FORMATS)
  format?: ReportFormat;
}
