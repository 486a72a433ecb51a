import { Module } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../config/app-config';
import { PublicUrl } from '../config/public-url';
import { CLOCK, type Clock } from '../kernel/clock';
import { LOGGER, type Logger } from '../kernel/logger';
import { Database } from '../platform/database/database';
import { Mailer } from '../platform/mailer/mailer';
import { TenantDirectory } from '../tenancy/tenant-directory';
import { AlertMailer } from './alert-mailer';
import { AlertReader } from './alert-reader';
import { AlertsController } from './alerts.controller';

/**
 * Decides how people learn of alerts: by list, and by mail. Must not know what an alert is about, or who raises it: that is written with
 * `platform/alerts`. {@link AlertMailer} does nothing until it is started.
 */
@Module({
  controllers: [AlertsController],
  providers: [
    AlertReader,
    {
      provide: AlertMailer,
      inject: [Database, Mailer, TenantDirectory, APP_CONFIG, PublicUrl, CLOCK, LOGGER],
      useFactory: (
        database: Database,
        mailer: Mailer,
        tenants: TenantDirectory,
        { alertEmails: operatorEmails }: AppConfig,
        publicUrl: PublicUrl,
        clock: Clock,
        logger: Logger,
      ) => new AlertMailer({ database, mailer, tenants, operatorEmails, publicUrl, clock, logger }),
    },
  ],
  exports: [AlertMailer],
})
export class AlertsModule {}
