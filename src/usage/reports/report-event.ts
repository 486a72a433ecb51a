import type { ReportFiguresView, ReportHeadView, UsageReportDocument } from './report-document.view';

/** `data` of the event `usage.report`; documented in `ops/event-payloads.view.ts`. */
export interface ReportEventData extends ReportHeadView {
  client_id: string;
  totals: ReportFiguresView;
  /** Figures of the period before. */
  previous_totals: ReportFiguresView;
  /** Path of the whole report. */
  download: string;
}

export function reportEventData(document: UsageReportDocument): ReportEventData {
  const { days: _, channels: __, configs: ___, tenants: ____, name: _____, previous, ...rest } = document;
  return {
    ...rest,
    client_id: document.client_id!,
    previous_totals: previous.totals,
    download: `/v1/usage/reports/${document.report_id}`,
  };
}
