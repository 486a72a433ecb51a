import { Module } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Database } from '../../platform/database/database';
import { DeliveryMetrics } from '../../platform/delivery/delivery-metrics';
import { AlertBook } from '../../platform/alerts/alert-book';
import { EventStore } from '../../platform/events/event-store';
import { GUARDED_HTTP_CLIENT, type HttpClient } from '../../platform/http-client/http-client';
import { HttpClientModule } from '../../platform/http-client/http-client.module';
import { SecretBox } from '../../platform/secrets/secret-box';
import { EventsController } from '../feed/events.controller';
import { DeliveryLogService } from './delivery-log.service';
import { WebhookDeliveriesController } from './webhook-deliveries.controller';
import { WebhookDeliveryService } from './webhook-delivery.service';
import { WebhookEndpointsService } from './webhook-endpoints.service';
import { WebhookSender } from './webhook-sender';
import { WebhooksController } from './webhooks.controller';

/**
 * Decides how tenants learn of events: posted to their endpoints, or pulled. Owns `webhook_endpoints` and `webhook_deliveries`; reads `events`.
 * Must not know what a message or a provider is. {@link WebhookDeliveryService} does nothing until it is started.
 */
@Module({
  imports: [HttpClientModule],
  controllers: [WebhooksController, WebhookDeliveriesController, EventsController],
  providers: [
    DeliveryMetrics,
    {
      provide: WebhookSender,
      inject: [GUARDED_HTTP_CLIENT, SecretBox, CLOCK],
      useFactory: (http: HttpClient, box: SecretBox, clock: Clock) => new WebhookSender(http, box, clock),
    },
    {
      provide: WebhookDeliveryService,
      inject: [Database, EventStore, AlertBook, WebhookSender, CLOCK, DeliveryMetrics, LOGGER],
      useFactory: (
        database: Database,
        events: EventStore,
        alerts: AlertBook,
        sender: WebhookSender,
        clock: Clock,
        metrics: DeliveryMetrics,
        logger: Logger,
      ) => new WebhookDeliveryService({ database, events, alerts, sender, clock, metrics, logger }),
    },
    WebhookEndpointsService,
    DeliveryLogService,
  ],
  exports: [WebhookDeliveryService, DeliveryMetrics],
})
export class WebhookEndpointsModule {}
