import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { Database } from '../../platform/database/database';
import { InboundWriter } from './inbound-writer';

const EVERY_MS = 2_000;
const BATCH = 200;

/** Lets go of parts of long messages whose other parts did not come in time: what is there is delivered. */
@Injectable()
export class InboundPartKeeper {
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    private readonly writer: InboundWriter,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.task = new Periodic('parts of inbound messages', EVERY_MS, () => this.run(), logger);
  }

  start(): void {
    this.task.start();
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** One round. Safe in any number of processes at once. */
  async run(): Promise<void> {
    let taken: number;
    do {
      const done = await this.database.transaction((tx) => this.writer.writeOverdueIn(tx, this.clock.now(), BATCH));
      this.writer.committed(done.outcome);
      taken = done.taken;
    } while (taken === BATCH && !this.task.stopping);
  }
}
