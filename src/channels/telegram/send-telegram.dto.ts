import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  IsBoolean,
  IsIn,
  IsOptional,
  IsString,
  IsUrl,
  Length,
  MaxLength,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { SendOptionsDto } from '../../messaging/intake/send-options.dto';

export const PARSE_MODES = ['HTML', 'MarkdownV2', 'Markdown'] as const;

/** A chat's number as text or as an integer, or `@channel`. What it has to look like is checked where it is read. */
const isChat = (value: unknown): boolean =>
  (typeof value === 'string' && value.length > 0 && value.length <= 64) || Number.isSafeInteger(value);

/** A file that Telegram fetches by itself. */
export class TelegramMediaDto {
  @ApiProperty({
    description:
      'Address of the file, http or https. Its ending says what it is sent as: a photo (jpg, png, webp), an animation (gif), a video (mp4), a sound (mp3, m4a), a voice message (ogg), else a document.',
    example: 'https://cdn.example.com/parcel.jpg',
    maxLength: 2048,
  })
  @IsUrl({ protocols: ['http', 'https'], require_protocol: true, require_tld: false })
  @MaxLength(2048)
  url: string;

  @ApiPropertyOptional({ description: 'Text under the file.', example: 'Your parcel', maxLength: 1024 })
  @IsOptional()
  @IsString()
  @Length(1, 1024)
  caption?: string;
}

/** `POST /v1/telegram/send` */
export class SendTelegramDto extends SendOptionsDto {
  @ApiProperty({
    description:
      'The chat: its id, as a string or an integer, or `@name` of a channel. A person must have started the bot first. In the simulator, magic chats choose what happens.',
    oneOf: [{ type: 'string', minLength: 1, maxLength: 64 }, { type: 'integer' }],
    example: '5005550000',
  })
  @ValidateBy({
    name: 'isChat',
    validator: { validate: isChat, defaultMessage: () => 'to must be a chat id or @channel' },
  })
  to: string | number;

  @ApiPropertyOptional({
    description:
      'The text, at most 4096 characters. With `media` it goes under the file, before the caption, and both together are at most 1024. Required unless there is `media`.',
    example: 'Your parcel is here.',
    minLength: 1,
    maxLength: 4096,
  })
  @IsOptional()
  @IsString()
  @Length(1, 4096)
  message?: string;

  @ApiPropertyOptional({
    description: 'How formatting is written in the text. Default: the config’s `default_parse_mode`, else plain text.',
    enum: PARSE_MODES,
    example: 'HTML',
  })
  @IsOptional()
  @IsIn(PARSE_MODES)
  parse_mode?: (typeof PARSE_MODES)[number];

  @ApiPropertyOptional({ description: 'A file, fetched by Telegram.', type: TelegramMediaDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TelegramMediaDto)
  media?: TelegramMediaDto;

  @ApiPropertyOptional({ description: 'Arrives without a sound.', example: false })
  @IsOptional()
  @IsBoolean()
  disable_notification?: boolean;
}
