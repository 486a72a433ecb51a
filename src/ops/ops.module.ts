import { Module } from '@nestjs/common';
import { MessagingModule } from '../messaging/messaging.module';
import { HealthController } from './health.controller';
import { ProcessMetrics } from './process-metrics';
import { OpsController } from './ops.controller';

/** Decides what an operator sees: health, readiness and metrics. Owns no data. */
@Module({
  imports: [MessagingModule],
  controllers: [HealthController, OpsController],
  providers: [ProcessMetrics],
})
export class OpsModule {}
