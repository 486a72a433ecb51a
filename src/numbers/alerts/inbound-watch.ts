import type { Clock } from '../../kernel/clock';
import type { Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import type { AlertBook } from '../../platform/alerts/alert-book';
import type { Database } from '../../platform/database/database';
import type { EventSignal } from '../../platform/events/event-store';
import { watchReceivers } from './receiver-alerts';
import { watchSequences } from './sequence-watch';

const EVERY_MS = 5_000;

/** Looks whether an alert about inbound messages has to be raised or is over. Any number of processes may run it. */
export class InboundWatch {
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    private readonly alerts: AlertBook,
    private readonly signal: EventSignal,
    private readonly clock: Clock,
    logger: Logger,
  ) {
    this.task = new Periodic('alerts about inbound messages', EVERY_MS, () => this.run(), logger);
  }

  start(): void {
    this.task.start();
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** One look. */
  async run(): Promise<void> {
    for (const watch of [watchReceivers, watchSequences]) {
      const clientIds = await watch(this.database, this.alerts, this.clock.now());
      if (clientIds.size > 0) this.signal.committed(clientIds);
    }
  }
}
