import { type DynamicModule, Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AlertsModule } from './alerts/alerts.module';
import { EmailModule } from './channels/email/email.module';
import { PushModule } from './channels/push/push.module';
import { SmsModule } from './channels/sms/sms.module';
import { TelegramModule } from './channels/telegram/telegram.module';
import { WhatsAppModule } from './channels/whatsapp/whatsapp.module';
import { APP_CONFIG, type AppConfig } from './config/app-config';
import { PublicUrl } from './config/public-url';
import { CLOCK, systemClock } from './kernel/clock';
import { LOGGER, type Logger } from './kernel/logger';
import { MessagingModule } from './messaging/messaging.module';
import { InboundDeliveryModule } from './numbers/delivery/inbound-delivery.module';
import { InboundAlertsModule } from './numbers/alerts/inbound-alerts.module';
import { NumbersModule } from './numbers/numbers.module';
import { OperationOnlyGuard } from './ops/operation-only.guard';
import { OpsModule } from './ops/ops.module';
import { DatabaseModule } from './platform/database/database.module';
import { AlertBookModule } from './platform/alerts/alert-book.module';
import { EventsModule } from './platform/events/events.module';
import { HttpClientModule } from './platform/http-client/http-client.module';
import { MailerModule } from './platform/mailer/mailer.module';
import { ObservabilityModule } from './platform/observability/observability.module';
import { QueueModule } from './platform/queue/queue.module';
import { SecretsModule } from './platform/secrets/secrets.module';
import { PrivacyModule } from './privacy/privacy.module';
import { BackgroundWork, Runtime } from './runtime';
import { SimulatorModule } from './simulator/simulator.module';
import { TenancyModule } from './tenancy/tenancy.module';
import { UsageReportsModule } from './usage/reports/usage-reports.module';
import { UsageModule } from './usage/usage.module';
import { TemplatesModule } from './templates/templates.module';
import { WebhookEndpointsModule } from './webhook/endpoints/webhook-endpoints.module';
import { CallbackIngressModule } from './webhook/ingress/callback-ingress.module';

@Global()
@Module({})
class ConfigurationModule {
  static with(config: AppConfig, logger: Logger): DynamicModule {
    const publicUrl = new PublicUrl(config.publicUrl);
    return {
      module: ConfigurationModule,
      providers: [
        { provide: APP_CONFIG, useValue: config },
        { provide: LOGGER, useValue: logger },
        { provide: CLOCK, useValue: systemClock },
        { provide: PublicUrl, useValue: publicUrl },
      ],
      exports: [APP_CONFIG, LOGGER, CLOCK, PublicUrl],
    };
  }
}

/**
 * The composition root: which modules there are. Knows no behaviour. Every role has the same modules; {@link Runtime} decides which of their work
 * a process does.
 */
@Module({})
export class AppModule {
  static with(config: AppConfig, logger: Logger): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigurationModule.with(config, logger),
        DatabaseModule,
        EventsModule,
        AlertBookModule,
        ObservabilityModule,
        SecretsModule,
        HttpClientModule,
        MailerModule,
        QueueModule.forRedis(config.redisUrl),
        TenancyModule,
        MessagingModule,
        SmsModule,
        EmailModule,
        WhatsAppModule,
        TelegramModule,
        PushModule,
        CallbackIngressModule,
        WebhookEndpointsModule,
        NumbersModule,
        InboundDeliveryModule,
        InboundAlertsModule,
        UsageModule,
        AlertsModule,
        UsageReportsModule,
        PrivacyModule,
        TemplatesModule,
        OpsModule,
        ...(config.simulator ? [SimulatorModule] : []),
      ],
      providers: [
        BackgroundWork,
        Runtime,
        ...(config.role === 'all' || config.role === 'api'
          ? []
          : [{ provide: APP_GUARD, useClass: OperationOnlyGuard }]),
      ],
    };
  }
}
