import type { Provider } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import { AlertBook } from '../../platform/alerts/alert-book';
import { ChangeFeed } from '../../platform/database/change-feed';
import { Database } from '../../platform/database/database';
import { EventSignal } from '../../platform/events/event-store';
import { BudgetDirectory } from './budget-directory';
import { BudgetKeeper } from './budget-keeper';
import { OutcomeRecorder } from './outcome-recorder';

export const BUDGET_PROVIDERS: Provider[] = [
  {
    provide: OutcomeRecorder,
    inject: [Database, CLOCK, LOGGER],
    useFactory: (database: Database, clock: Clock, logger: Logger) => new OutcomeRecorder(database, clock, logger),
  },
  {
    provide: BudgetDirectory,
    inject: [Database, ChangeFeed, LOGGER],
    useFactory: (database: Database, feed: ChangeFeed, logger: Logger) => new BudgetDirectory(database, feed, logger),
  },
  {
    provide: BudgetKeeper,
    inject: [Database, AlertBook, EventSignal, ChangeFeed, CLOCK, LOGGER],
    useFactory: (
      database: Database,
      alerts: AlertBook,
      signal: EventSignal,
      feed: ChangeFeed,
      clock: Clock,
      logger: Logger,
    ) => new BudgetKeeper({ database, alerts, signal, feed, clock, logger }),
  },
];
