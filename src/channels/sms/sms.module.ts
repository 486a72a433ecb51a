import { Module } from '@nestjs/common';
import { GatewayModule } from '../../gateway/gateway.module';
import { ChannelRegistry } from '../../messaging/channel-registry';
import { MessagingModule } from '../../messaging/messaging.module';
import { namedSendControllers } from '../../messaging/named/named-send.controller';
import { smsChannel } from './sms.channel';
import { SmsController } from './sms.controller';
import { SMS_KINDS } from './sms.kinds';
import { SMS_PROVIDERS } from './sms.providers';

/**
 * Decides what an SMS is: its fields, limits and parts. Owns the SMS providers and `POST /v1/sms/send`. Must not know the other channels, nor how
 * a message is stored or dispatched.
 */
@Module({
  imports: [MessagingModule, GatewayModule.forProviders(SMS_PROVIDERS)],
  controllers: [SmsController, ...namedSendControllers(SMS_PROVIDERS, SMS_KINDS)],
})
export class SmsModule {
  constructor(channels: ChannelRegistry) {
    channels.register(smsChannel);
  }
}
