import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '../../platform/observability/metrics-registry';

/** Counts accepted messages. */
@Injectable()
export class IntakeMetrics {
  private readonly messages;

  constructor(registry: MetricsRegistry) {
    this.messages = registry.counter('unimsg_messages_accepted_total', 'Messages accepted and durable', [
      'channel',
      'status',
    ]);
  }

  accepted(channel: string, status: string, count: number): void {
    this.messages.inc({ channel, status }, count);
  }
}
