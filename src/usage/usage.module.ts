import { Global, Module } from '@nestjs/common';
import { AdminUsageController } from './admin-usage.controller';
import { UsageController } from './usage.controller';
import { UsagePanel } from './usage-panel';
import { UsageReader } from './usage-reader';
import { UsageRebuild } from './usage-rebuild';
import { UsageRollup } from './usage-rollup';
import { UsageService } from './usage.service';

/**
 * Decides what counts as usage, and shows it. Owns `usage_counters` and `usage_costs`, and empties `usage_deltas`, which `messaging` fills. Must not
 * know how a message is sent.
 */
@Global()
@Module({
  controllers: [UsageController, AdminUsageController],
  providers: [UsageReader, UsageRollup, UsagePanel, UsageService, UsageRebuild],
  exports: [UsageReader, UsageRollup, UsagePanel],
})
export class UsageModule {}
