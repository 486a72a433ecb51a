import type { ReportSink, SessionReport } from '../contracts/report-sink';

/** Where sessions' reports go. The layer that keeps them is above this one, so it says so once it is there. */
export class ReportOutlet implements ReportSink {
  private sink: ReportSink | undefined;

  connect(sink: ReportSink): void {
    this.sink = sink;
  }

  async deliver(report: SessionReport): Promise<void> {
    if (!this.sink) throw new Error('nobody takes reports yet');
    await this.sink.deliver(report);
  }
}
