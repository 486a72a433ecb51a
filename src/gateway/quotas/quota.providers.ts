import type { Provider } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { ChangeFeed } from '../../platform/database/change-feed';
import { Database } from '../../platform/database/database';
import { EventSignal } from '../../platform/events/event-store';
import { TenantDirectory } from '../../tenancy/tenant-directory';
import { ConfigDirectory } from '../configs/config-directory';
import { QuotaHints } from './quota-hints';
import { QuotaLedger } from './quota-ledger';
import { QuotaReader } from './quota-reader';

export const QUOTA_PROVIDERS: Provider[] = [
  {
    provide: QuotaHints,
    inject: [CLOCK, ChangeFeed],
    useFactory: (clock: Clock, feed: ChangeFeed) => new QuotaHints(clock, feed),
  },
  {
    provide: QuotaLedger,
    inject: [Database, TenantDirectory, QuotaHints, EventSignal, CLOCK],
    useFactory: (database: Database, tenants: TenantDirectory, hints: QuotaHints, signal: EventSignal, clock: Clock) =>
      new QuotaLedger(database, tenants, hints, signal, clock),
  },
  {
    provide: QuotaReader,
    inject: [QuotaLedger, ConfigDirectory, CLOCK],
    useFactory: (ledger: QuotaLedger, directory: ConfigDirectory, clock: Clock) =>
      new QuotaReader(ledger, directory, clock),
  },
];
