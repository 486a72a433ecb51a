import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { Database } from '../platform/database/database';
import { DISPATCH_QUEUE, type JobQueue } from '../platform/queue/job-queue';
import { DispatchMetrics } from '../messaging/dispatch/dispatch-metrics';
import { Dispatcher } from '../messaging/dispatch/dispatcher';
import { IntakeMetrics } from '../messaging/intake/intake-metrics';
import { CallbackMetrics } from '../webhook/ingress/callback-metrics';
import { DeliveryMetrics } from '../platform/delivery/delivery-metrics';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** The table of waiting messages is counted at most this often, however often we are scraped. */
const QUEUE_SAMPLE_MS = 5_000;

/**
 * What Prometheus scrapes. No label holds a tenant, a recipient or an id: their number is unbounded, and the endpoint needs no key.
 */
@Injectable()
export class Metrics implements OnModuleInit, OnApplicationShutdown {
  readonly registry = new Registry();
  private readonly loop = monitorEventLoopDelay({ resolution: 20 });
  private sampledAt = 0;

  private readonly accepted = this.counter('unimsg_messages_accepted_total', 'Messages accepted and durable', [
    'channel',
    'status',
  ]);
  private readonly attempts = this.counter('unimsg_attempts_total', 'Attempts at a provider', ['provider', 'outcome']);
  private readonly attemptSeconds = this.histogram('unimsg_attempt_seconds', 'Duration of an attempt', ['provider']);
  private readonly callbacks = this.counter(
    'unimsg_callbacks_total',
    'Callbacks of providers that were proved and stored',
    ['provider', 'kind'],
  );
  private readonly callbackSeconds = this.histogram(
    'unimsg_callback_lag_seconds',
    'From receipt of a callback to its commit',
    ['provider'],
  );
  private readonly refused = this.counter('unimsg_callbacks_refused_total', 'Callbacks without a valid signature', [
    'provider',
  ]);
  private readonly unmapped = this.counter('unimsg_callbacks_unmapped_total', 'Status words that are not known', [
    'provider',
  ]);
  private readonly deliveries = this.counter('unimsg_deliveries_total', 'Tries to deliver an event to a client', [
    'result',
  ]);
  private readonly deliverySeconds = this.histogram(
    'unimsg_delivery_lag_seconds',
    'From an event to its delivery to a client',
    [],
  );
  private readonly waiting = this.gauge('unimsg_queue_waiting', 'Accepted messages that wait to be sent and are due');
  private readonly age = this.gauge('unimsg_queue_age_seconds', 'Age of the message that has been due for longest');
  private readonly inFlight = this.gauge('unimsg_dispatch_in_flight', 'Messages that this process has in hand');
  private readonly hints = this.gauge('unimsg_queue_hints_waiting', 'Jobs that wait in the queue driver');
  private readonly dropped = this.gauge(
    'unimsg_queue_hints_dropped',
    'Hints dropped because the queue was out of reach',
  );
  private readonly loopLag = this.gauge(
    'unimsg_event_loop_lag_p99_seconds',
    '99th percentile of the event loop delay since the last scrape',
  );

  constructor(
    private readonly database: Database,
    private readonly dispatcher: Dispatcher,
    private readonly intake: IntakeMetrics,
    private readonly dispatch: DispatchMetrics,
    private readonly ingress: CallbackMetrics,
    private readonly delivery: DeliveryMetrics,
    @Inject(DISPATCH_QUEUE) private readonly queue: JobQueue<unknown>,
  ) {}

  onModuleInit(): void {
    this.loop.enable();
    collectDefaultMetrics({ register: this.registry, prefix: 'unimsg_' });
    this.intake.observe({ accepted: (channel, status, count) => this.accepted.inc({ channel, status }, count) });
    this.dispatch.observe({
      attempt: (provider, outcome, ms) => {
        this.attempts.inc({ provider, outcome });
        this.attemptSeconds.observe({ provider }, ms / 1000);
      },
    });
    this.ingress.observe({
      received: (provider, kind, ms) => {
        this.callbacks.inc({ provider, kind });
        this.callbackSeconds.observe({ provider }, ms / 1000);
      },
      refused: (provider) => this.refused.inc({ provider }),
      unmapped: (provider) => this.unmapped.inc({ provider }),
    });
    this.delivery.observe({
      tried: (result, lagMs) => {
        this.deliveries.inc({ result });
        if (result === 'succeeded') this.deliverySeconds.observe(lagMs / 1000);
      },
    });
  }

  onApplicationShutdown(): void {
    this.loop.disable();
  }

  /** The text that Prometheus reads. What needs the database is left as it was when that is away. */
  async text(): Promise<string> {
    this.inFlight.set(this.dispatcher.inFlight);
    this.loopLag.set(this.loop.percentile(99) / 1e9);
    this.loop.reset();
    this.dropped.set(this.queue.dropped());
    const waiting = await this.queue.waiting().catch(() => null);
    if (waiting !== null) this.hints.set(waiting);
    await this.sampleQueue().catch(() => undefined);
    return this.registry.metrics();
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

  private counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  private gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.registry] });
  }

  private histogram<Label extends string>(name: string, help: string, labelNames: Label[]): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets: SECONDS, registers: [this.registry] });
  }
}
