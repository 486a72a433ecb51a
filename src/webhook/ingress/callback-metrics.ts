import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '../../platform/observability/metrics-registry';

/** Counts callbacks of providers. */
@Injectable()
export class CallbackMetrics {
  private readonly stored;
  private readonly lag;
  private readonly refusals;
  private readonly unknownWords;

  constructor(registry: MetricsRegistry) {
    this.stored = registry.counter('unimsg_callbacks_total', 'Callbacks that were proved and stored', [
      'provider',
      'kind',
    ]);
    this.lag = registry.histogram('unimsg_callback_lag_seconds', 'From receipt of a callback to its commit', [
      'provider',
    ]);
    this.refusals = registry.counter('unimsg_callbacks_refused_total', 'Callbacks without a valid signature', [
      'provider',
    ]);
    this.unknownWords = registry.counter('unimsg_callbacks_unmapped_total', 'Status words that are not known', [
      'provider',
    ]);
  }

  received(provider: string, kind: string, storedAfterMs: number): void {
    this.stored.inc({ provider, kind });
    this.lag.observe({ provider }, storedAfterMs / 1000);
  }

  refused(provider: string): void {
    this.refusals.inc({ provider });
  }

  /** A status word that the provider's table does not have. */
  unmapped(provider: string): void {
    this.unknownWords.inc({ provider });
  }
}
