import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '../observability/metrics-registry';

/** Counts tries to deliver to clients. */
@Injectable()
export class DeliveryMetrics {
  private readonly tries;
  private readonly lag;

  constructor(registry: MetricsRegistry) {
    this.tries = registry.counter('unimsg_deliveries_total', 'Tries to deliver an event to a client', ['result']);
    this.lag = registry.histogram('unimsg_delivery_lag_seconds', 'From an event to its delivery', []);
  }

  /**
   * One try is over.
   * @param lagMs from the event to the end of this try
   */
  tried(result: 'succeeded' | 'failed', lagMs: number): void {
    this.tries.inc({ result });
    if (result === 'succeeded') this.lag.observe(lagMs / 1000);
  }
}
