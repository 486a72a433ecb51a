import { Global, Module } from '@nestjs/common';
import { EventStore } from '../events/event-store';
import { AlertBook } from './alert-book';

/** Owns `alerts` and `alert_mails`: what needs a person, raised once. Knows nothing of who raises one, or of who reads it. */
@Global()
@Module({
  providers: [{ provide: AlertBook, inject: [EventStore], useFactory: (events: EventStore) => new AlertBook(events) }],
  exports: [AlertBook],
})
export class AlertBookModule {}
