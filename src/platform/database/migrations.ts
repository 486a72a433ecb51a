import type { MigrationInterface } from 'typeorm';
import { Core1763800000000 } from '../../../migrations/1763800000000-core';
import { Tenancy1763800200000 } from '../../../migrations/1763800200000-tenancy';
import { Gateway1763800300000 } from '../../../migrations/1763800300000-gateway';
import { Messages1763800400000 } from '../../../migrations/1763800400000-messages';
import { Webhooks1763800500000 } from '../../../migrations/1763800500000-webhooks';
import { Engagement1763800600000 } from '../../../migrations/1763800600000-engagement';
import { Suppressions1763800600100 } from '../../../migrations/1763800600100-suppressions';
import { Fallbacks1763800600200 } from '../../../migrations/1763800600200-fallbacks';
import { Sessions1763800700000 } from '../../../migrations/1763800700000-sessions';
import { Audit1763800800000 } from '../../../migrations/1763800800000-audit';
import { StatusPolls1763800900000 } from '../../../migrations/1763800900000-status-polls';
import { Inbound1763900100000 } from '../../../migrations/1763900100000-inbound';
import { Alerts1763900300000 } from '../../../migrations/1763900300000-alerts';
import { InboundAlerts1763900310000 } from '../../../migrations/1763900310000-inbound-alerts';
import { Usage1763900400000 } from '../../../migrations/1763900400000-usage';
import { Quotas1763900500000 } from '../../../migrations/1763900500000-quotas';
import { ErrorBudgets1763900500100 } from '../../../migrations/1763900500100-error-budgets';
import { UsageReports1763900600000 } from '../../../migrations/1763900600000-usage-reports';
import { AuditOfChanges1763900800000 } from '../../../migrations/1763900800000-audit-of-changes';
import { Privacy1763900800100 } from '../../../migrations/1763900800100-privacy';
import { RoomForUpdates1764500000000 } from '../../../migrations/1764500000000-room-for-updates';
import { NumbersByTenant1764500000300 } from '../../../migrations/1764500000300-numbers-by-tenant';
import { UnplacedCallbacks1764500000310 } from '../../../migrations/1764500000310-unplaced-callbacks';
import { Templates1763900700000 } from '../../../migrations/1763900700000-templates';
import { Notifications1763900700100 } from '../../../migrations/1763900700100-notifications';

/** Every migration, oldest first. Named one by one, so that a build or a test cannot miss one. */
export const MIGRATIONS: ReadonlyArray<new () => MigrationInterface> = [
  Core1763800000000,
  Tenancy1763800200000,
  Gateway1763800300000,
  Messages1763800400000,
  Webhooks1763800500000,
  Engagement1763800600000,
  Suppressions1763800600100,
  Fallbacks1763800600200,
  Sessions1763800700000,
  Audit1763800800000,
  StatusPolls1763800900000,
  Inbound1763900100000,
  Alerts1763900300000,
  InboundAlerts1763900310000,
  Usage1763900400000,
  Quotas1763900500000,
  ErrorBudgets1763900500100,
  UsageReports1763900600000,
  AuditOfChanges1763900800000,
  Privacy1763900800100,
  RoomForUpdates1764500000000,
  NumbersByTenant1764500000300,
  UnplacedCallbacks1764500000310,
  Templates1763900700000,
  Notifications1763900700100,
];
