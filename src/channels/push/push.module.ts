import { Module } from '@nestjs/common';
import { GatewayModule } from '../../gateway/gateway.module';
import { ChannelRegistry } from '../../messaging/channel-registry';
import { MessagingModule } from '../../messaging/messaging.module';
import { namedSendControllers } from '../../messaging/named/named-send.controller';
import { pushChannel } from './push.channel';
import { PushController } from './push.controller';
import { PUSH_KINDS } from './push.kinds';
import { PUSH_PROVIDERS } from './push.providers';

/**
 * Decides what a push notification is: its fields and limits. Owns the push providers and `POST /v1/push/send`. Must not know the other channels,
 * nor how a message is stored or dispatched.
 */
@Module({
  imports: [MessagingModule, GatewayModule.forProviders(PUSH_PROVIDERS)],
  controllers: [PushController, ...namedSendControllers(PUSH_PROVIDERS, PUSH_KINDS)],
})
export class PushModule {
  constructor(channels: ChannelRegistry) {
    channels.register(pushChannel);
  }
}
