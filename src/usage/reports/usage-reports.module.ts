import { Module } from '@nestjs/common';
import { OperatorReportsController } from './operator-reports.controller';
import { ReportFigures } from './report-figures';
import { ReportMails } from './report-mails';
import { ReportMaker } from './report-maker';
import { ReportSchedulesController } from './report-schedules.controller';
import { ReportSchedulesService } from './report-schedules.service';
import { ReportStore } from './report-store';
import { ReportsController } from './reports.controller';

/**
 * Decides which periods are reported, when, and that each is once; makes the reports and mails them. Owns `report_schedules`, `usage_reports` and
 * `report_deliveries`. Must not know how usage is counted. {@link ReportMaker} and {@link ReportMails} do nothing until they are started.
 */
@Module({
  controllers: [ReportSchedulesController, ReportsController, OperatorReportsController],
  providers: [ReportFigures, ReportMaker, ReportMails, ReportSchedulesService, ReportStore],
  exports: [ReportMaker, ReportMails],
})
export class UsageReportsModule {}
