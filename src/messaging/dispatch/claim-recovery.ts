import { Inject, Injectable } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { Database } from '../../platform/database/database';
import { MessageWriter } from '../record/message-writer';
import { AttemptRunner } from './attempt-runner';
import { ClaimStore } from './claim-store';
import { Dispatcher } from './dispatcher';

const LOOK_MS = 2_000;
/** A process that has not beaten for this long is dead. */
const SILENT_SECONDS = 15;
const BATCH = 500;

/**
 * Takes back what dead processes had in hand: each such message gets an attempt of unknown fate and goes on as the failover policy says for `ambiguous`.
 */
@Injectable()
export class ClaimRecovery {
  private readonly look: Periodic;
  private first = true;
  private failedAt: number | undefined;

  constructor(
    private readonly claims: ClaimStore,
    private readonly dispatcher: Dispatcher,
    private readonly runner: AttemptRunner,
    private readonly writer: MessageWriter,
    private readonly database: Database,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.look = new Periodic('claim recovery', LOOK_MS, () => this.lookAround(), logger);
  }

  start(): void {
    this.look.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.look.stop();
  }

  /** When the database was out of reach from here it may have been so from elsewhere: then the others get the time to beat again. */
  private async lookAround(): Promise<void> {
    if (this.failedAt !== undefined && performance.now() - this.failedAt < SILENT_SECONDS * 1000) {
      await this.database.query('SELECT 1').catch(() => (this.failedAt = performance.now()));
      return;
    }
    try {
      await this.recover();
      this.failedAt = undefined;
    } catch (error) {
      this.failedAt = performance.now();
      throw error;
    }
  }

  /** One round; answers how many messages were taken back. */
  async recover(): Promise<number> {
    // The embedded database belongs to this process alone, so at its start every other holder is dead, however fresh its last beat.
    const exclusive = this.first && this.config.embedded;
    const dead = await this.claims.deadHolders(this.dispatcher.holder, SILENT_SECONDS, exclusive);
    this.first = false;
    let total = 0;
    for (const holder of dead) {
      for (;;) {
        const taken = await this.takeBack(holder);
        total += taken;
        if (taken === 0) break;
      }
      await this.claims.leave(holder);
    }
    if (total > 0)
      this.logger.warn({ messages: total, holders: dead.length }, 'took back messages of a process that ended');
    return total;
  }

  private async takeBack(holder: string): Promise<number> {
    const applied = await this.database.transaction(async (tx) => {
      const messages = await this.claims.lockHeldBy(tx, holder, BATCH);
      if (messages.length === 0) return undefined;
      const changes = [];
      for (const message of messages) {
        changes.push({ kind: 'dispatch' as const, outcome: await this.runner.abandoned(message, message.claimedAt) });
      }
      return this.writer.applyIn(tx, changes, holder);
    });
    if (!applied) return 0;
    this.writer.announce(applied.drafts);
    return applied.results.length;
  }
}
