import { Counter, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * The metrics of this process. Each module makes its own and keeps them; `ops` serves the text. No label may hold a tenant, a recipient or an
 * id: their number is unbounded, and the endpoint needs no key.
 */
export class MetricsRegistry {
  readonly prometheus = new Registry();

  counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.prometheus] });
  }

  gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.prometheus] });
  }

  /** Of durations in seconds. */
  histogram<Label extends string>(name: string, help: string, labelNames: Label[]): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets: SECONDS, registers: [this.prometheus] });
  }
}
