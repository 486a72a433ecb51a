import { Global, Module } from '@nestjs/common';
import { MetricsRegistry } from './metrics-registry';

/** Owns the process's metrics registry. Knows no metric. */
@Global()
@Module({ providers: [MetricsRegistry], exports: [MetricsRegistry] })
export class ObservabilityModule {}
