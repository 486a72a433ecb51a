import type { Clock } from '../../kernel/clock';
import type { Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import type { InboundSignal } from '../../messaging/inbound/inbound-signal';
import type { AlertBook } from '../../platform/alerts/alert-book';
import type { Database } from '../../platform/database/database';
import { LaneRunner, type LaneRunnerOptions } from '../../platform/delivery/lane.runner';
import { BURY, RELEASE_ALL } from './delivery.statements';
import type { InboundDeliveryMetrics } from './inbound-delivery-metrics';
import type { InboundSender } from './inbound-sender';
import type { ReceiverProfile } from './receiver-lane';
import { ReceiverLaneLeases } from './receiver-lane.leases';

const BURY_EVERY_MS = 30_000;

/** How receivers of inbound messages are served. Delays and tries are the number's. */
export const RECEIVER_PROFILE: ReceiverProfile = {
  first: { most: 16, inOrder: 32, perWaiting: 8, patienceMs: 1000 },
  retries: { most: 16, inOrder: 0, perWaiting: 1, patienceMs: 1000 },
  chunk: 128,
  failingAfter: 5,
};

/** What the service needs. */
export interface InboundDeliveryDeps {
  database: Database;
  signal: InboundSignal;
  sender: InboundSender;
  alerts: AlertBook;
  clock: Clock;
  metrics: InboundDeliveryMetrics;
  logger: Logger;
  /** This is the only process, so at its start every lane is free. */
  exclusive: boolean;
}

export interface InboundDeliveryOptions extends LaneRunnerOptions {
  profile?: ReceiverProfile;
  /** How often to look for what waits for receivers that are no more. Default 30 s. */
  buryEveryMs?: number;
}

/** Hands inbound messages to the receivers of their numbers. Runs in worker processes; any number of them share the receivers. */
export class InboundDeliveryService {
  private readonly runner: LaneRunner;
  private readonly burial: Periodic;
  private unlisten: (() => void) | undefined;

  constructor(
    private readonly deps: InboundDeliveryDeps,
    options: InboundDeliveryOptions = {},
  ) {
    const { database, clock, logger } = deps;
    const profile = options.profile ?? RECEIVER_PROFILE;
    const leases = new ReceiverLaneLeases({ ...deps, profile });
    this.runner = new LaneRunner(leases, profile.failingAfter, clock, logger, options);
    this.burial = new Periodic(
      'deliveries of removed receivers',
      options.buryEveryMs ?? BURY_EVERY_MS,
      () => database.execute(BURY),
      logger,
    );
  }

  async start(): Promise<void> {
    if (this.deps.exclusive) await this.deps.database.execute(RELEASE_ALL);
    this.unlisten ??= this.deps.signal.onDeliverable((numberIds) => this.runner.wake(numberIds));
    this.runner.start();
    this.burial.start();
  }

  /** Receivers being served right now. */
  get lanes(): number {
    return this.runner.size;
  }

  /** Ends within a few seconds: what is under way is finished or left as due, leases are released. */
  async stop(graceMs?: number): Promise<void> {
    this.unlisten?.();
    this.unlisten = undefined;
    await this.burial.stop();
    await this.runner.stop(graceMs);
  }
}
