/** Where deliveries report what they did; `ops` connects it to Prometheus. */
export interface DeliveryObserver {
  /**
   * One try is over.
   * @param lagMs from the event to the end of this try
   */
  tried(result: 'succeeded' | 'failed', lagMs: number): void;
}

/** Fans out to observers; none by default. */
export class DeliveryMetrics implements DeliveryObserver {
  private readonly observers: DeliveryObserver[] = [];

  observe(observer: DeliveryObserver): void {
    this.observers.push(observer);
  }

  tried(result: 'succeeded' | 'failed', lagMs: number): void {
    for (const observer of this.observers) observer.tried(result, lagMs);
  }
}
