/** Where intake reports what it did; `ops` connects it to Prometheus. */
export interface IntakeObserver {
  accepted(channel: string, status: string, count: number): void;
}

/** Fans out to observers; none by default. */
export class IntakeMetrics implements IntakeObserver {
  private readonly observers: IntakeObserver[] = [];

  observe(observer: IntakeObserver): void {
    this.observers.push(observer);
  }

  accepted(channel: string, status: string, count: number): void {
    for (const observer of this.observers) observer.accepted(channel, status, count);
  }
}
