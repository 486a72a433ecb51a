import { Module } from '@nestjs/common';
import { GatewayModule } from '../../gateway/gateway.module';
import { ChannelRegistry } from '../../messaging/channel-registry';
import { MessagingModule } from '../../messaging/messaging.module';
import { namedSendControllers } from '../../messaging/named/named-send.controller';
import { telegramChannel } from './telegram.channel';
import { TelegramController } from './telegram.controller';
import { TELEGRAM_KINDS } from './telegram.kinds';
import { TELEGRAM_PROVIDERS } from './telegram.providers';

/**
 * Decides what a Telegram message is: its fields and limits. Owns the Telegram providers and `POST /v1/telegram/send`. Must not know the other
 * channels, nor how a message is stored or dispatched.
 */
@Module({
  imports: [MessagingModule, GatewayModule.forProviders(TELEGRAM_PROVIDERS)],
  controllers: [TelegramController, ...namedSendControllers(TELEGRAM_PROVIDERS, TELEGRAM_KINDS)],
})
export class TelegramModule {
  constructor(channels: ChannelRegistry) {
    channels.register(telegramChannel);
  }
}
