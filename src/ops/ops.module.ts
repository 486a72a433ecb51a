import { Module } from '@nestjs/common';
import { MessagingModule } from '../messaging/messaging.module';
import { CallbackIngressModule } from '../webhook/ingress/callback-ingress.module';
import { HealthController } from './health.controller';
import { Metrics } from './metrics';
import { OpsController } from './ops.controller';

/** Decides what an operator sees: health, readiness and metrics. Owns no data. */
@Module({
  imports: [MessagingModule, CallbackIngressModule],
  controllers: [HealthController, OpsController],
  providers: [Metrics],
  exports: [Metrics],
})
export class OpsModule {}
