import { Global, Module } from '@nestjs/common';
import { UsageReader } from './usage-reader';
import { UsageRollup } from './usage-rollup';

/**
 * Decides what counts as usage, and shows it. Owns `usage_counters` and `usage_costs`, and empties `usage_deltas`, which `messaging` fills. Must not
 * know how a message is sent.
 */
@Global()
@Module({ providers: [UsageReader, UsageRollup], exports: [UsageReader, UsageRollup] })
export class UsageModule {}
