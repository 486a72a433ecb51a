import { ApiProperty, IntersectionType, OmitType, PickType } from '@nestjs/swagger';
import type { TelegramContent } from '../../gateway/contracts/gateway';
import { NamedMessageView } from '../../messaging/named/named-message.view';
import { NamedSendOptionsDto, namedSendKind, type NamedSendKind } from '../../messaging/named/named-send';
import { PARSE_MODES, SendTelegramDto, TelegramMediaDto } from './send-telegram.dto';

/** `POST /communication/{provider}/messages` */
export class SendProviderTelegramDto extends IntersectionType(
  OmitType(SendTelegramDto, ['provider'] as const),
  PickType(NamedSendOptionsDto, ['config_id'] as const),
) {}

/** A Telegram message by its provider. */
export class TelegramMessage extends NamedMessageView {
  @ApiProperty({ description: 'The chat: its id, or `@name` of a channel.', example: '5005550000' })
  to: string;

  @ApiProperty({
    description: 'The text; null without one, or once erased.',
    nullable: true,
    type: String,
    example: 'Your parcel is here.',
  })
  message: string | null;

  @ApiProperty({ description: 'The file and its caption; null without one.', nullable: true, type: TelegramMediaDto })
  media: TelegramMediaDto | null;

  @ApiProperty({
    description: 'How formatting is written in the text; null: as the config says.',
    enum: PARSE_MODES,
    nullable: true,
    example: 'HTML',
  })
  parse_mode: (typeof PARSE_MODES)[number] | null;

  @ApiProperty({ description: 'Arrives without a sound.', example: false })
  disable_notification: boolean;
}

/** What each Telegram provider has under its own path. */
export const TELEGRAM_KINDS: readonly NamedSendKind[] = [
  namedSendKind<SendProviderTelegramDto>({
    channel: 'telegram',
    path: 'messages',
    noun: { one: 'Message', many: 'Messages' },
    words: { one: 'a Telegram message', many: 'Telegram messages' },
    body: SendProviderTelegramDto,
    example: { to: '5005550000', message: 'Your parcel is here.' },
    toSend: (send) => send,
    fields: { text: 'message' },
    view: TelegramMessage,
    describe: ({ content, to }) => {
      const { text, media, parse_mode, disable_notification } = (content ?? {}) as TelegramContent;
      return {
        to,
        message: text ?? null,
        media: media ?? null,
        parse_mode: parse_mode ?? null,
        disable_notification: disable_notification ?? false,
      };
    },
  }),
];
