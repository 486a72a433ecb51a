import { Module } from '@nestjs/common';
import { GatewayModule } from '../../gateway/gateway.module';
import { ChannelRegistry } from '../../messaging/channel-registry';
import { MessagingModule } from '../../messaging/messaging.module';
import { namedSendControllers } from '../../messaging/named/named-send.controller';
import { emailChannel } from './email.channel';
import { EmailController } from './email.controller';
import { EMAIL_KINDS } from './email.kinds';
import { EMAIL_PROVIDERS } from './email.providers';

/**
 * Decides what an email is: its fields, and what of them is safe to hand to a mail server. Owns the email providers and `POST /v1/email/send`.
 * Must not know the other channels, nor how a message is stored or dispatched.
 */
@Module({
  imports: [MessagingModule, GatewayModule.forProviders(EMAIL_PROVIDERS)],
  controllers: [EmailController, ...namedSendControllers(EMAIL_PROVIDERS, EMAIL_KINDS)],
})
export class EmailModule {
  constructor(channels: ChannelRegistry) {
    channels.register(emailChannel);
  }
}
