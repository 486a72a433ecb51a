import { Module } from '@nestjs/common';
import { HttpClientModule } from '../platform/http-client/http-client.module';
import { InboundLogService } from './log/inbound-log.service';
import { InboundRedeliveryService } from './log/inbound-redelivery.service';
import { InboundController } from './log/inbound.controller';
import { NumbersController } from './registry/numbers.controller';
import { NumbersService } from './registry/numbers.service';

/**
 * Decides which numbers a tenant has, who is told of messages that come to them, and how they are told. Owns `numbers` and `number_receivers`.
 * Must not know how providers hand messages over: what comes is written by messaging/inbound.
 */
@Module({
  imports: [HttpClientModule],
  controllers: [NumbersController, InboundController],
  providers: [NumbersService, InboundLogService, InboundRedeliveryService],
})
export class NumbersModule {}
