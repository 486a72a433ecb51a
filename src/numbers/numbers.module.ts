import { Module } from '@nestjs/common';
import { HttpClientModule } from '../platform/http-client/http-client.module';

/**
 * Decides which numbers a tenant has, who is told of messages that come to them, and how they are told. Owns `numbers` and `number_receivers`.
 * Must not know how providers hand messages over: what comes is written by messaging/inbound.
 */
@Module({
  imports: [HttpClientModule],
})
export class NumbersModule {}
