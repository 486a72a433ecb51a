import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '../../platform/observability/metrics-registry';
import type { AttemptOutcome } from '../record/message.types';

/** Counts attempts. */
@Injectable()
export class DispatchMetrics {
  private readonly attempts;
  private readonly seconds;

  constructor(registry: MetricsRegistry) {
    this.attempts = registry.counter('unimsg_attempts_total', 'Attempts at a provider, by how they ended', [
      'provider',
      'outcome',
    ]);
    this.seconds = registry.histogram('unimsg_attempt_seconds', 'Duration of an attempt', ['provider']);
  }

  attempt(provider: string, outcome: AttemptOutcome, durationMs: number): void {
    this.attempts.inc({ provider, outcome });
    this.seconds.observe({ provider }, durationMs / 1000);
  }
}
