import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { collectDefaultMetrics } from 'prom-client';
import { Dispatcher } from '../messaging/dispatch/dispatcher';
import { Database } from '../platform/database/database';
import { MetricsRegistry } from '../platform/observability/metrics-registry';
import { DISPATCH_QUEUE, type JobQueue } from '../platform/queue/job-queue';

/** The table of waiting messages is counted at most this often, however often we are scraped. */
const QUEUE_SAMPLE_MS = 5_000;

/** What is measured when Prometheus asks: the process itself, and what waits. */
@Injectable()
export class ProcessMetrics implements OnModuleInit, OnApplicationShutdown {
  private readonly loop = monitorEventLoopDelay({ resolution: 20 });
  private readonly waiting;
  private readonly age;
  private readonly inFlight;
  private readonly hints;
  private readonly dropped;
  private readonly loopLag;
  private sampledAt = 0;

  constructor(
    private readonly registry: MetricsRegistry,
    private readonly database: Database,
    private readonly dispatcher: Dispatcher,
    @Inject(DISPATCH_QUEUE) private readonly queue: JobQueue<unknown>,
  ) {
    this.waiting = registry.gauge('unimsg_queue_waiting', 'Accepted messages that are due and not sent');
    this.age = registry.gauge('unimsg_queue_age_seconds', 'How long the message that waits longest has been due');
    this.inFlight = registry.gauge('unimsg_dispatch_in_flight', 'Messages that this process has in hand');
    this.hints = registry.gauge('unimsg_queue_hints_waiting', 'Jobs that wait in the queue driver');
    this.dropped = registry.gauge('unimsg_queue_hints_dropped', 'Hints dropped because the queue was out of reach');
    this.loopLag = registry.gauge(
      'unimsg_event_loop_lag_p99_seconds',
      '99th percentile of the event loop delay since the last scrape',
    );
  }

  onModuleInit(): void {
    this.loop.enable();
    collectDefaultMetrics({ register: this.registry.prometheus, prefix: 'unimsg_' });
  }

  onApplicationShutdown(): void {
    this.loop.disable();
  }

  /** The text that Prometheus reads. What needs the database keeps its last value while that is away. */
  async text(): Promise<string> {
    this.inFlight.set(this.dispatcher.inFlight);
    this.loopLag.set(this.loop.percentile(99) / 1e9);
    this.loop.reset();
    this.dropped.set(this.queue.dropped());
    const waiting = await this.queue.waiting().catch(() => null);
    if (waiting !== null) this.hints.set(waiting);
    await this.sampleQueue().catch(() => undefined);
    return this.registry.prometheus.metrics();
  }

  get contentType(): string {
    return this.registry.prometheus.contentType;
  }

  private async sampleQueue(): Promise<void> {
    if (Date.now() - this.sampledAt < QUEUE_SAMPLE_MS) return;
    this.sampledAt = Date.now();
    const [row] = await this.database.query<{ waiting: number; age: number }>(
      `SELECT count(*)::int AS waiting, coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 AS age FROM message_queue WHERE due_at <= now()`,
    );
    this.waiting.set(row!.waiting);
    this.age.set(row!.age);
  }
}
