import { Global, Module } from '@nestjs/common';
import { EventSignal, EventStore } from './event-store';

/** Owns the outbox: events are written with the change that they tell of. Knows nothing of who reads them. */
@Global()
@Module({
  providers: [
    EventSignal,
    { provide: EventStore, inject: [EventSignal], useFactory: (signal: EventSignal) => new EventStore(signal) },
  ],
  exports: [EventSignal, EventStore],
})
export class EventsModule {}
