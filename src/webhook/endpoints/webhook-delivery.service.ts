import type { Clock } from '../../kernel/clock';
import type { Logger } from '../../kernel/logger';
import type { Database } from '../../platform/database/database';
import type { DeliveryMetrics } from '../../platform/delivery/delivery-metrics';
import type { LaneProfile } from '../../platform/delivery/delivery.lane';
import { LaneRunner, type LaneRunnerOptions } from '../../platform/delivery/lane.runner';
import type { AlertBook } from '../../platform/alerts/alert-book';
import type { EventStore } from '../../platform/events/event-store';
import { WebhookLaneLeases } from './webhook-lane.leases';
import type { WebhookSender } from './webhook-sender';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** How clients' endpoints are served. */
export const WEBHOOK_PROFILE: LaneProfile = {
  ladder: {
    delaysMs: [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR],
    jitter: 0.15,
  },
  firstTries: 32,
  retries: 8,
  chunk: 256,
  failingAfter: 10,
};

/** What the service needs besides the database. */
export interface WebhookDeliveryDeps {
  database: Database;
  events: EventStore;
  alerts: AlertBook;
  sender: WebhookSender;
  clock: Clock;
  metrics: DeliveryMetrics;
  logger: Logger;
}

/**
 * Hands events to clients' endpoints. Runs in worker processes; any number of them share the endpoints.
 */
export class WebhookDeliveryService {
  private readonly runner: LaneRunner;
  private unlisten: (() => void) | undefined;

  constructor(
    private readonly deps: WebhookDeliveryDeps,
    options: LaneRunnerOptions & { profile?: LaneProfile } = {},
  ) {
    const profile = options.profile ?? WEBHOOK_PROFILE;
    const leases = new WebhookLaneLeases(deps, profile);
    this.runner = new LaneRunner(leases, profile.failingAfter, deps.clock, deps.logger, options);
  }

  start(): void {
    this.unlisten ??= this.deps.events.signal.onCommitted((clientIds) => this.wake(clientIds));
    this.runner.start();
  }

  /** Looks for work of these tenants at once instead of at the next poll. */
  wake(clientIds: Iterable<string>): void {
    this.runner.wake(clientIds);
  }

  /** Endpoints being served right now. */
  get lanes(): number {
    return this.runner.size;
  }

  /** Ends within a few seconds: what is under way is finished or put back, leases are released. */
  async stop(graceMs?: number): Promise<void> {
    this.unlisten?.();
    this.unlisten = undefined;
    await this.runner.stop(graceMs);
  }
}
