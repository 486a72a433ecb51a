import { Injectable } from '@nestjs/common';
import type { ReceiverType } from '../../messaging/inbound/inbound.types';
import { MetricsRegistry } from '../../platform/observability/metrics-registry';

/** Counts tries to deliver inbound messages. */
@Injectable()
export class InboundDeliveryMetrics {
  private readonly tries;
  private readonly lag;

  constructor(registry: MetricsRegistry) {
    this.tries = registry.counter(
      'unimsg_inbound_deliveries_total',
      'Tries to deliver an inbound message to a receiver; pending: failed, to be tried again',
      ['type', 'result'],
    );
    this.lag = registry.histogram(
      'unimsg_inbound_delivery_lag_seconds',
      'From the receipt of an inbound message to its delivery',
      ['type'],
    );
  }

  /**
   * One try is over.
   * @param lagMs from the receipt to the end of this try
   */
  tried(type: ReceiverType, result: 'succeeded' | 'pending' | 'dead_letter', lagMs: number): void {
    this.tries.inc({ type, result });
    if (result === 'succeeded') this.lag.observe({ type }, lagMs / 1000);
  }
}
