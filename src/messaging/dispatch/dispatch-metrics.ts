import { Injectable } from '@nestjs/common';
import { OutcomeRecorder } from '../../gateway/budget/outcome-recorder';
import type { ProviderConfig } from '../../gateway/configs/provider-config';
import { MetricsRegistry } from '../../platform/observability/metrics-registry';
import type { AttemptOutcome } from '../record/message.types';

/** Counts attempts: for the operator's metrics, and for the error budgets of gateways. */
@Injectable()
export class DispatchMetrics {
  private readonly attempts;
  private readonly seconds;

  constructor(
    registry: MetricsRegistry,
    private readonly outcomes: OutcomeRecorder,
  ) {
    this.attempts = registry.counter('unimsg_attempts_total', 'Attempts at a provider, by how they ended', [
      'provider',
      'outcome',
    ]);
    this.seconds = registry.histogram('unimsg_attempt_seconds', 'Duration of an attempt', ['provider']);
  }

  /** @param burnsBudget whether it was the gateway's fault; null: it says nothing of that */
  attempt(config: ProviderConfig, outcome: AttemptOutcome, burnsBudget: boolean | null, durationMs: number): void {
    const { provider } = config;
    this.attempts.inc({ provider, outcome });
    this.seconds.observe({ provider }, durationMs / 1000);
    if (burnsBudget !== null) this.outcomes.called(config.clientId, config.id, burnsBudget);
  }
}
