import { Module } from '@nestjs/common';
import { GatewayModule } from '../../gateway/gateway.module';
import { ChannelRegistry } from '../../messaging/channel-registry';
import { MessagingModule } from '../../messaging/messaging.module';
import { namedSendControllers } from '../../messaging/named/named-send.controller';
import { whatsAppChannel } from './whatsapp.channel';
import { WhatsAppController } from './whatsapp.controller';
import { WHATSAPP_KINDS } from './whatsapp.kinds';
import { WHATSAPP_PROVIDERS } from './whatsapp.providers';

/**
 * Decides what a WhatsApp message is: text, template or media. Owns the WhatsApp providers and `POST /v1/whatsapp/send`. Must not know the other
 * channels, nor how a message is stored or dispatched.
 */
@Module({
  imports: [MessagingModule, GatewayModule.forProviders(WHATSAPP_PROVIDERS)],
  controllers: [WhatsAppController, ...namedSendControllers(WHATSAPP_PROVIDERS, WHATSAPP_KINDS)],
})
export class WhatsAppModule {
  constructor(channels: ChannelRegistry) {
    channels.register(whatsAppChannel);
  }
}
