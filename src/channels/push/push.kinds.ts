import { ApiProperty, IntersectionType, OmitType, PickType } from '@nestjs/swagger';
import type { PushContent } from '../../gateway/contracts/gateway';
import { NamedMessageView } from '../../messaging/named/named-message.view';
import { NamedSendOptionsDto, namedSendKind, type NamedSendKind } from '../../messaging/named/named-send';
import { PushTargetDto, SendPushDto } from './send-push.dto';

/** `POST /communication/{provider}/push` */
export class SendProviderPushDto extends IntersectionType(
  OmitType(SendPushDto, ['provider'] as const),
  PickType(NamedSendOptionsDto, ['config_id'] as const),
) {}

const text = (description: string, example: string | null) =>
  ApiProperty({ description, nullable: true, type: String, example });
const count = (description: string, example: number) =>
  ApiProperty({ description, nullable: true, type: 'integer', example });

/** A push notification by its provider. What was not given, or is erased, is null. */
export class PushNotification extends NamedMessageView {
  @ApiProperty({ description: 'The device; null for a topic.', type: PushTargetDto, nullable: true })
  target: PushTargetDto | null;

  @text('The topic; null for a device.', null)
  topic: string | null;

  @text('The first line.', 'Your parcel')
  title: string | null;

  @text('The text.', 'It is at the door.')
  body: string | null;

  @text('Address of the image.', null)
  image_url: string | null;

  @ApiProperty({
    description: 'Pairs of strings for the app.',
    type: 'object',
    additionalProperties: { type: 'string' },
    nullable: true,
    example: { order_id: '8121' },
  })
  data: Record<string, string> | null;

  @count('How long the push service keeps it, seconds; null: as the config says.', 3600)
  ttl_seconds: number | null;

  @text('What a later notification replaces it by.', null)
  collapse_key: string | null;

  @count('The number on the app’s icon.', 3)
  badge_count: number | null;

  @text('The sound.', 'default')
  sound: string | null;

  @text('What a tap opens.', 'OPEN_ORDER')
  click_action: string | null;
}

/** What each push provider has under its own path. */
export const PUSH_KINDS: readonly NamedSendKind[] = [
  namedSendKind<SendProviderPushDto>({
    channel: 'push',
    path: 'push',
    noun: { one: 'PushNotification', many: 'PushNotifications' },
    words: { one: 'a push notification', many: 'push notifications' },
    body: SendProviderPushDto,
    example: { target: { device_token: 'simulator-delivered' }, title: 'Your parcel', body: 'It is at the door.' },
    toSend: (send) => send,
    fields: {},
    view: PushNotification,
    describe: ({ content }) => {
      const push: PushContent = content ?? {};
      return {
        target: push.target ?? null,
        topic: push.topic ?? null,
        title: push.title ?? null,
        body: push.body ?? null,
        image_url: push.image_url ?? null,
        data: push.data ?? null,
        ttl_seconds: push.ttl_seconds ?? null,
        collapse_key: push.collapse_key ?? null,
        badge_count: push.badge_count ?? null,
        sound: push.sound ?? null,
        click_action: push.click_action ?? null,
      };
    },
  }),
];
