import { Module } from '@nestjs/common';
import { MessagingModule } from '../messaging/messaging.module';
import { NotificationCancellation } from './notifications/notification-cancellation';
import { NotificationReader } from './notifications/notification-reader';
import { NotificationRunner } from './notifications/notification-runner';
import { NotificationSender } from './notifications/notification-sender';
import { NotificationsController } from './notifications/notifications.controller';
import { NotificationsService } from './notifications/notifications.service';
import { SendTemplate } from './send-template';
import { TemplatePreview } from './template-preview';
import { TemplatesController } from './templates.controller';
import { TemplatesService } from './templates.service';

/**
 * Decides what a template says to whom, and makes messages of it. Owns templates with their versions, and notifications.
 * {@link NotificationRunner} does nothing until it is started. Must not know the channels: what a template
 * makes is a channel's send, which the channel checks itself.
 */
@Module({
  imports: [MessagingModule],
  controllers: [TemplatesController, NotificationsController],
  providers: [
    TemplatesService,
    TemplatePreview,
    SendTemplate,
    NotificationSender,
    NotificationCancellation,
    NotificationRunner,
    NotificationReader,
    NotificationsService,
  ],
  exports: [NotificationRunner],
})
export class TemplatesModule {}
