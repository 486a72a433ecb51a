import { Global, Module } from '@nestjs/common';
import { GatewayModule } from '../gateway/gateway.module';
import { ChannelRegistry } from './channel-registry';
import { AttemptRunner } from './dispatch/attempt-runner';
import { ClaimRecovery } from './dispatch/claim-recovery';
import { ClaimStore } from './dispatch/claim-store';
import { DispatchMetrics } from './dispatch/dispatch-metrics';
import { Dispatcher } from './dispatch/dispatcher';
import { FreshMessages } from './dispatch/fresh-messages';
import { GatewaySender } from './dispatch/gateway-sender';
import { MessageHolds } from './dispatch/message-holds';
import { LaneGate } from './dispatch/lane-gate';
import { LaneWaits } from './dispatch/lane-waits';
import { SentLookup } from './dispatch/sent-lookup';
import { FallbackRunner } from './fallback/fallback-runner';
import { FallbackStore } from './fallback/fallback-store';
import { InboundPartKeeper } from './inbound/inbound-part-keeper';
import { InboundSignal } from './inbound/inbound-signal';
import { InboundWriter } from './inbound/inbound-writer';
import { UnmatchedAlerts } from './inbound/unmatched-alerts';
import { BatchService } from './intake/batch.service';
import { DryRunService } from './intake/dry-run.service';
import { IntakeService } from './intake/intake.service';
import { IntakeMetrics } from './intake/intake-metrics';
import { MessageInserter } from './intake/message-inserter';
import { SendResponder } from './intake/send.responder';
import { SendWaits } from './intake/send-waits';
import { Maintenance } from './maintenance';
import { MessagesController } from './messages.controller';
import { NamedSendService } from './named/named-send.service';
import { OwnTemplates } from './own-templates';
import { QuietHours } from './quiet/quiet-hours';
import { QuietHoursRelease } from './quiet/quiet-hours-release';
import { EngagementWriter } from './record/engagement-writer';
import { MessageActions } from './record/message-actions';
import { MessageReader } from './record/message-reader';
import { StatusPoller } from './record/status-poller';
import { MessageSignal } from './record/message-signal';
import { MessageWriter } from './record/message-writer';
import { ProviderInquiry } from './record/provider-inquiry';
import { SuppressionDirectory } from './suppression/suppression-directory';
import { SuppressionsController } from './suppression/suppressions.controller';
import { SuppressionsService } from './suppression/suppressions.service';

/**
 * Decides what happens to a message from acceptance to its end: durable intake, dispatch with failover and retry, and the state machine.
 * Owns the message record, its queue and its idempotency keys. Must not know who listens to its events (webhooks, usage, numbers) nor any provider.
 */
@Global()
@Module({
  imports: [GatewayModule],
  controllers: [MessagesController, SuppressionsController],
  providers: [
    ChannelRegistry,
    OwnTemplates,
    InboundSignal,
    InboundWriter,
    UnmatchedAlerts,
    InboundPartKeeper,
    MessageSignal,
    MessageWriter,
    EngagementWriter,
    MessageReader,
    MessageActions,
    ProviderInquiry,
    SuppressionDirectory,
    SuppressionsService,
    QuietHours,
    QuietHoursRelease,
    IntakeMetrics,
    MessageInserter,
    FallbackStore,
    IntakeService,
    FallbackRunner,
    DryRunService,
    SendWaits,
    SendResponder,
    BatchService,
    NamedSendService,
    FreshMessages,
    ClaimStore,
    LaneGate,
    LaneWaits,
    DispatchMetrics,
    MessageHolds,
    GatewaySender,
    SentLookup,
    AttemptRunner,
    Dispatcher,
    ClaimRecovery,
    Maintenance,
    StatusPoller,
  ],
  exports: [
    ChannelRegistry,
    OwnTemplates,
    InboundSignal,
    InboundWriter,
    InboundPartKeeper,
    IntakeService,
    MessageActions,
    SendResponder,
    NamedSendService,
    MessageWriter,
    EngagementWriter,
    SuppressionDirectory,
    MessageReader,
    MessageActions,
    MessageInserter,
    Dispatcher,
    ClaimRecovery,
    Maintenance,
    StatusPoller,
    FallbackRunner,
  ],
})
export class MessagingModule {}
