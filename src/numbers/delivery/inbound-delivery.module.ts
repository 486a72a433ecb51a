import { Module } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import { InboundSignal } from '../../messaging/inbound/inbound-signal';
import { MessagingModule } from '../../messaging/messaging.module';
import { AlertBook } from '../../platform/alerts/alert-book';
import { Database } from '../../platform/database/database';
import { DeliveryClient } from '../../platform/delivery/delivery-client';
import { GUARDED_HTTP_CLIENT, type HttpClient } from '../../platform/http-client/http-client';
import { HttpClientModule } from '../../platform/http-client/http-client.module';
import { Mailer } from '../../platform/mailer/mailer';
import { TenantDirectory } from '../../tenancy/tenant-directory';
import { InboundDeliveryMetrics } from './inbound-delivery-metrics';
import { InboundDeliveryService } from './inbound-delivery.service';
import { InboundSender } from './inbound-sender';

/**
 * Decides when and how an inbound message is handed to each receiver of its number. Owns the lanes in `number_receivers`, and of
 * `inbound_deliveries` what became of each. Must not know how messages come in. {@link InboundDeliveryService} does nothing until it is started.
 */
@Module({
  imports: [HttpClientModule, MessagingModule],
  providers: [
    InboundDeliveryMetrics,
    {
      provide: InboundSender,
      inject: [GUARDED_HTTP_CLIENT, Mailer, TenantDirectory, CLOCK],
      useFactory: (http: HttpClient, mailer: Mailer, tenants: TenantDirectory, clock: Clock) =>
        new InboundSender(new DeliveryClient(http, clock), mailer, tenants, clock),
    },
    {
      provide: InboundDeliveryService,
      inject: [Database, InboundSignal, InboundSender, AlertBook, InboundDeliveryMetrics, APP_CONFIG, CLOCK, LOGGER],
      useFactory: (
        database: Database,
        signal: InboundSignal,
        sender: InboundSender,
        alerts: AlertBook,
        metrics: InboundDeliveryMetrics,
        config: AppConfig,
        clock: Clock,
        logger: Logger,
      ) =>
        new InboundDeliveryService({
          database,
          signal,
          sender,
          alerts,
          clock,
          metrics,
          logger,
          exclusive: config.embedded,
        }),
    },
  ],
  exports: [InboundDeliveryService],
})
export class InboundDeliveryModule {}
