import { Module } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import { AlertBook } from '../../platform/alerts/alert-book';
import { Database } from '../../platform/database/database';
import { EventSignal } from '../../platform/events/event-store';
import { InboundWatch } from './inbound-watch';

/**
 * Decides when inbound messages, their numbers and receivers need a person. Owns `receiver_minutes` (which the delivery fills), `provider_sequences`
 * and `sequence_gaps`. {@link InboundWatch} does nothing until it is started.
 */
@Module({
  providers: [
    {
      provide: InboundWatch,
      inject: [Database, AlertBook, EventSignal, CLOCK, LOGGER],
      useFactory: (database: Database, alerts: AlertBook, signal: EventSignal, clock: Clock, logger: Logger) =>
        new InboundWatch(database, alerts, signal, clock, logger),
    },
  ],
  exports: [InboundWatch],
})
export class InboundAlertsModule {}
