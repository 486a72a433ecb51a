import type { UsageFiguresView } from '../../gateway/usage/usage.view';
import type { ReportHeadView, UsageReportDocument } from './report-document.view';

/** `data` of the event `usage.report`; documented in `ops/event-payloads.view.ts`. */
export interface ReportEventData extends ReportHeadView {
  client_id: string;
  totals: UsageFiguresView;
  /** Figures of the period before. */
  previous_totals: UsageFiguresView;
  /** Path of the whole report. */
  download: string;
}

export function reportEventData(document: UsageReportDocument): ReportEventData {
  const {
    days: _,
    channels: __,
    configs: ___,
    tenants: ____,
    name: _____,
    quota: ______,
    error_budget: _______,
    previous,
    ...rest
  } = document;
  return {
    ...rest,
    client_id: document.client_id!,
    previous_totals: previous.totals,
    download: `/v1/usage/reports/${document.report_id}`,
  };
}
