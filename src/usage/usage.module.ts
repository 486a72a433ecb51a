import { Global, Module } from '@nestjs/common';
import { UsageController } from './usage.controller';
import { UsagePanel } from './usage-panel';
import { UsageReader } from './usage-reader';
import { UsageRollup } from './usage-rollup';
import { UsageService } from './usage.service';

/**
 * Decides what counts as usage, and shows it. Owns `usage_counters` and `usage_costs`, and empties `usage_deltas`, which `messaging` fills. Must not
 * know how a message is sent.
 */
@Global()
@Module({
  controllers: [UsageController],
  providers: [UsageReader, UsageRollup, UsagePanel, UsageService],
  exports: [UsageReader, UsageRollup],
})
export class UsageModule {}
