import { Inject, Injectable, Module } from '@nestjs/common';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { GatewayModule } from '../../gateway/gateway.module';
import { MessagingModule } from '../../messaging/messaging.module';
import { CallbackConfigs } from './callback-configs';
import { CallbackEffects } from './callback-effects';
import { CallbackMetrics } from './callback-metrics';
import { CallbackProof } from './callback-proof';
import { CallbackStore } from './callback-store';
import { CallbackController } from './callback.controller';
import { KnownIds } from './known-ids';
import { ProviderEventReader } from './provider-event-reader';
import { ProviderEventsController } from './provider-events.controller';
import { UnsubscribeController } from './unsubscribe.controller';
import { SessionReports } from './session-reports';

const RETRY_MS = 1_000;

/** Tries callbacks again that came before their message was known. */
@Injectable()
export class UnmatchedCallbacks {
  private readonly task: Periodic;

  constructor(store: CallbackStore, @Inject(LOGGER) logger: Logger) {
    this.task = new Periodic('unmatched callbacks', RETRY_MS, () => store.retryUnmatched(), logger);
  }

  start(): void {
    this.task.start();
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }
}

/**
 * Decides whether to believe a provider's callback, and keeps it. Owns the raw callbacks. Must not know what a status leads to: the message's
 * state machine does.
 */
@Module({
  imports: [GatewayModule, MessagingModule],
  controllers: [CallbackController, ProviderEventsController, UnsubscribeController],
  providers: [
    CallbackConfigs,
    CallbackEffects,
    CallbackMetrics,
    CallbackProof,
    CallbackStore,
    KnownIds,
    ProviderEventReader,
    SessionReports,
    UnmatchedCallbacks,
  ],
  exports: [CallbackStore, UnmatchedCallbacks],
})
export class CallbackIngressModule {}
