import { Inject, Injectable } from '@nestjs/common';
import { AlertMailer } from './alerts/alert-mailer';
import { APP_CONFIG, type AppConfig, type Role } from './config/app-config';
import { LOGGER, type Logger } from './kernel/logger';
import { BudgetDirectory } from './gateway/budget/budget-directory';
import { BudgetKeeper } from './gateway/budget/budget-keeper';
import { OutcomeRecorder } from './gateway/budget/outcome-recorder';
import { ConfigProber } from './gateway/configs/config-prober';
import { ConfigSubscriber } from './gateway/configs/config-subscriber';
import { GatewayStates } from './gateway/limits/gateway-states';
import { SessionKeeper } from './gateway/sessions/session-keeper';
import { ClaimRecovery } from './messaging/dispatch/claim-recovery';
import { Dispatcher } from './messaging/dispatch/dispatcher';
import { FallbackRunner } from './messaging/fallback/fallback-runner';
import { InboundPartKeeper } from './messaging/inbound/inbound-part-keeper';
import { Maintenance } from './messaging/maintenance';
import { StatusPoller } from './messaging/record/status-poller';
import { ReportMails } from './usage/reports/report-mails';
import { ReportMaker } from './usage/reports/report-maker';
import { UsageRollup } from './usage/usage-rollup';
import { InboundDeliveryService } from './numbers/delivery/inbound-delivery.service';
import { InboundWatch } from './numbers/alerts/inbound-watch';
import { ErasureService } from './privacy/erasure.service';
import { LateData } from './privacy/late-data';
import { Retention } from './privacy/retention';
import { NotificationRunner } from './templates/notifications/notification-runner';
import { WebhookDeliveryService } from './webhook/endpoints/webhook-delivery.service';
import { UnmatchedCallbacks } from './webhook/ingress/callback-ingress.module';

/** Work that goes on by itself. */
interface Background {
  start(): void | Promise<void>;
  stop(): void | Promise<void>;
}

/** Which role does what. */
@Injectable()
export class BackgroundWork {
  readonly list: ReadonlyArray<{ roles: readonly Role[]; name: string; work: Background }>;

  constructor(
    maintenance: Maintenance,
    prober: ConfigProber,
    subscriber: ConfigSubscriber,
    states: GatewayStates,
    unmatched: UnmatchedCallbacks,
    fallbacks: FallbackRunner,
    polls: StatusPoller,
    usage: UsageRollup,
    inboundParts: InboundPartKeeper,
    reports: ReportMaker,
    reportMails: ReportMails,
    erasures: ErasureService,
    lateData: LateData,
    retention: Retention,
    deliveries: WebhookDeliveryService,
    inbound: InboundDeliveryService,
    sessions: SessionKeeper,
    dispatcher: Dispatcher,
    recovery: ClaimRecovery,
    alertMails: AlertMailer,
    inboundWatch: InboundWatch,
    budgets: BudgetDirectory,
    budgetKeeper: BudgetKeeper,
    outcomes: OutcomeRecorder,
    notifications: NotificationRunner,
  ) {
    this.list = [
      // First, so that they are there for all that routes and calls, and end after it.
      { roles: ['api', 'worker', 'scheduler'], name: 'gateway budgets', work: budgets },
      { roles: ['api', 'worker', 'scheduler'], name: 'gateway outcomes', work: outcomes },
      { roles: ['scheduler'], name: 'maintenance', work: maintenance },
      { roles: ['scheduler'], name: 'config prober', work: prober },
      { roles: ['scheduler'], name: 'config subscriber', work: subscriber },
      { roles: ['scheduler'], name: 'unmatched callbacks', work: unmatched },
      { roles: ['scheduler'], name: 'message fallbacks', work: fallbacks },
      { roles: ['scheduler'], name: 'status polls', work: polls },
      { roles: ['scheduler'], name: 'usage roll-up', work: usage },
      { roles: ['scheduler'], name: 'parts of inbound messages', work: inboundParts },
      { roles: ['scheduler'], name: 'alerts about inbound messages', work: inboundWatch },
      { roles: ['scheduler'], name: 'alert mails', work: alertMails },
      { roles: ['scheduler'], name: 'usage reports', work: reports },
      { roles: ['worker'], name: 'usage report mails', work: reportMails },
      { roles: ['scheduler'], name: 'gateway budget keeper', work: budgetKeeper },
      { roles: ['scheduler'], name: 'erasures', work: erasures },
      { roles: ['scheduler'], name: 'late data of erased persons', work: lateData },
      { roles: ['scheduler'], name: 'retention', work: retention },
      { roles: ['worker'], name: 'gateway states', work: states },
      { roles: ['worker'], name: 'webhook deliveries', work: deliveries },
      { roles: ['worker'], name: 'inbound deliveries', work: inbound },
      // Before the dispatcher, which goes by what is held; and given up after it.
      { roles: ['worker'], name: 'gateway sessions', work: sessions },
      { roles: ['worker'], name: 'dispatcher', work: dispatcher },
      { roles: ['worker'], name: 'claim recovery', work: recovery },
      { roles: ['worker'], name: 'notifications', work: notifications },
    ];
  }
}

/** Starts the background work of this process's role, and stops it in the opposite order. */
@Injectable()
export class Runtime {
  private readonly work: ReadonlyArray<{ roles: readonly Role[]; name: string; work: Background }>;
  private readonly running: Array<{ name: string; work: Background }> = [];

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    @Inject(LOGGER) private readonly logger: Logger,
    background: BackgroundWork,
  ) {
    this.work = background.list;
  }

  async start(): Promise<void> {
    for (const entry of this.work) {
      if (this.config.role !== 'all' && !entry.roles.includes(this.config.role)) continue;
      await entry.work.start();
      this.running.push(entry);
    }
  }

  async stop(): Promise<void> {
    for (const entry of this.running.splice(0).reverse()) {
      try {
        await entry.work.stop();
      } catch (error) {
        this.logger.error({ err: error, work: entry.name }, 'background work did not stop cleanly');
      }
    }
  }
}
