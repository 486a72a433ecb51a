import { ApiPropertyOptional, ApiProperty, ApiExtraModels, getSchemaPath } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { Nullable } from '../../platform/http/nullable.decorator';

/** Longest Liquid of a text; what comes of it has the limits of the channel's send. */
const LONGEST_TEXT = 20_000;
const LONGEST_HTML = 400_000;
const LONGEST_LINE = 2_048;
/** Most members of a push notification's data. */
export const MOST_PUSH_DATA = 50;

const PARSE_MODES = ['HTML', 'MarkdownV2', 'Markdown'] as const;

export class TemplateSmsDto {
  @ApiProperty({
    description: 'The text, in Liquid.',
    example: 'Hi {{ name }}, the game begins at {{ starts_at | date: "%H:%M" }}.',
    minLength: 1,
    maxLength: LONGEST_TEXT,
  })
  @IsString()
  @Length(1, LONGEST_TEXT)
  message: string;

  @ApiPropertyOptional({ description: 'The sender, in Liquid. Default: the config’s own.', example: 'Acme' })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_LINE)
  from?: string;
}

/** A file that the provider fetches by itself. */
export class TemplateMediaDto {
  @ApiProperty({
    description: 'Address of the file, in Liquid.',
    example: 'https://cdn.example.com/tickets/{{ ticket }}.pdf',
    maxLength: LONGEST_LINE,
  })
  @IsString()
  @Length(1, LONGEST_LINE)
  url: string;

  @ApiPropertyOptional({
    description: 'Text under the file, in Liquid.',
    example: 'Your ticket, {{ name }}',
    maxLength: LONGEST_TEXT,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_TEXT)
  caption?: string;
}

/** A WhatsApp template that Meta has approved. */
export class TemplateApprovedDto {
  @ApiProperty({
    description: 'Its name at Meta, its Content SID (`HX…`) at Twilio.',
    example: 'game_reminder',
    minLength: 1,
    maxLength: 512,
  })
  @IsString()
  @Length(1, 512)
  name: string;

  @ApiPropertyOptional({
    description: 'Its language, as the provider spells it. Default: the config’s own.',
    example: 'en_US',
    maxLength: 15,
  })
  @IsOptional()
  @IsString()
  @Matches(/^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,2}$/, {
    message: 'language must be a language code such as en, en_US or pt-BR',
  })
  language?: string;

  @ApiPropertyOptional({
    description: 'Values of its placeholders in their order, each in Liquid.',
    type: [String],
    example: ['{{ name }}', '{{ starts_at | date: "%H:%M" }}'],
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @Length(1, LONGEST_TEXT, { each: true })
  parameters?: string[];

  @ApiPropertyOptional({
    description: 'Address of the image, video or document in its header, in Liquid.',
    example: 'https://cdn.example.com/team.jpg',
    maxLength: LONGEST_LINE,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_LINE)
  media_url?: string;
}

export class TemplateWhatsAppDto {
  @ApiPropertyOptional({
    description: 'Free text, in Liquid. One of `message`, `template` and `media` is needed.',
    example: 'Hi {{ name }}, see you at {{ starts_at | date: "%H:%M" }}.',
    minLength: 1,
    maxLength: LONGEST_TEXT,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_TEXT)
  message?: string;

  @ApiPropertyOptional({ description: 'An approved template; the way to write first.', type: TemplateApprovedDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TemplateApprovedDto)
  template?: TemplateApprovedDto;

  @ApiPropertyOptional({ description: 'An image, video, sound or document.', type: TemplateMediaDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TemplateMediaDto)
  media?: TemplateMediaDto;

  @ApiPropertyOptional({ description: 'The sender, in Liquid. Default: the config’s own.', example: '+15005550006' })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_LINE)
  from?: string;
}

/** What to track; missing members are as the config says. */
export class TemplateTrackingDto {
  @ApiPropertyOptional({ description: 'Whether the mail was opened.', example: true })
  @IsOptional()
  @IsBoolean()
  opens?: boolean;

  @ApiPropertyOptional({ description: 'Which links were clicked.', example: true })
  @IsOptional()
  @IsBoolean()
  clicks?: boolean;

  @ApiPropertyOptional({ description: 'Offer to unsubscribe.', example: false })
  @IsOptional()
  @IsBoolean()
  unsubscribe?: boolean;
}

/** An address with an optional display name, each in Liquid. */
export class TemplateAddressDto {
  @ApiProperty({ description: 'The address, in Liquid.', example: 'games@example.com', maxLength: LONGEST_LINE })
  email: string;

  @ApiPropertyOptional({ description: 'The display name, in Liquid.', example: 'Acme', maxLength: LONGEST_LINE })
  name?: string;
}

const ADDRESS = {
  oneOf: [
    { type: 'string', maxLength: LONGEST_LINE, example: 'games@example.com' },
    { $ref: getSchemaPath(TemplateAddressDto) },
  ],
};

@ApiExtraModels(TemplateAddressDto)
export class TemplateEmailDto {
  @ApiProperty({
    description: 'The subject, in Liquid.',
    example: 'Your game at {{ starts_at | date: "%H:%M" }}',
    minLength: 1,
    maxLength: LONGEST_LINE,
  })
  @IsString()
  @Length(1, LONGEST_LINE)
  subject: string;

  @ApiPropertyOptional({
    description: 'The text part, in Liquid. `text` or `html` is needed; they go together.',
    example: 'Hi {{ name }}, see you on the court.',
    minLength: 1,
    maxLength: LONGEST_HTML,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_HTML)
  text?: string;

  @ApiPropertyOptional({
    description: 'The HTML part, in Liquid. Values are escaped unless they go through the filter `raw`.',
    example: '<p>Hi {{ name }}, see you on the court.</p>',
    minLength: 1,
    maxLength: LONGEST_HTML,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_HTML)
  html?: string;

  @ApiPropertyOptional({
    description: 'The sender: an address or `{email, name?}`, in Liquid. Default: the config’s own.',
    example: { email: 'games@example.com', name: 'Acme' },
    ...ADDRESS,
  })
  @IsOptional()
  @IsDefined()
  from?: unknown;

  @ApiPropertyOptional({
    description: 'Where answers go: an address or `{email, name?}`, in Liquid. Default: the config’s own.',
    example: 'help@example.com',
    ...ADDRESS,
  })
  @IsOptional()
  @IsDefined()
  reply_to?: unknown;

  @ApiPropertyOptional({ description: 'What to track. Default: as the config says.', type: TemplateTrackingDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TemplateTrackingDto)
  tracking?: TemplateTrackingDto;
}

export class TemplateTelegramDto {
  @ApiPropertyOptional({
    description:
      'The text, in Liquid. Values are escaped as `parse_mode` wants it, unless they go through the filter `raw`. Required unless there is `media`.',
    example: 'Hi {{ name }}, see you at {{ starts_at | date: "%H:%M" }}.',
    minLength: 1,
    maxLength: LONGEST_TEXT,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_TEXT)
  message?: string;

  @ApiPropertyOptional({
    description: 'How formatting is written in the text. Default: the config’s own, else plain text.',
    enum: PARSE_MODES,
    example: 'HTML',
  })
  @IsOptional()
  @IsIn(PARSE_MODES)
  parse_mode?: (typeof PARSE_MODES)[number];

  @ApiPropertyOptional({ description: 'A file, fetched by Telegram.', type: TemplateMediaDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TemplateMediaDto)
  media?: TemplateMediaDto;

  @ApiPropertyOptional({ description: 'Arrives without a sound.', example: false })
  @IsOptional()
  @IsBoolean()
  disable_notification?: boolean;
}

export class TemplatePushDto {
  @ApiPropertyOptional({
    description: 'The first line, in Liquid. One of `title`, `body` and `data` is needed.',
    example: 'Your game',
    minLength: 1,
    maxLength: LONGEST_TEXT,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_TEXT)
  title?: string;

  @ApiPropertyOptional({
    description: 'The text, in Liquid.',
    example: 'Hi {{ name }}, it begins at {{ starts_at | date: "%H:%M" }}.',
    minLength: 1,
    maxLength: LONGEST_TEXT,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_TEXT)
  body?: string;

  @ApiPropertyOptional({
    description: 'Address of an image to show, in Liquid.',
    example: 'https://cdn.example.com/team.jpg',
    maxLength: LONGEST_LINE,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_LINE)
  image_url?: string;

  @ApiPropertyOptional({
    description: 'Pairs of strings for the app, each value in Liquid.',
    type: 'object',
    additionalProperties: { type: 'string' },
    maxProperties: MOST_PUSH_DATA,
    example: { game_id: '{{ game.id }}' },
  })
  @IsOptional()
  @IsObject()
  data?: Record<string, string>;

  @ApiPropertyOptional({
    description: 'How long the push service keeps it for a device that is away, seconds.',
    type: 'integer',
    minimum: 0,
    maximum: 2_419_200,
    example: 3600,
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(2_419_200)
  ttl_seconds?: number;

  @ApiPropertyOptional({
    description: 'A later notification with the same key takes the place of this one; in Liquid.',
    example: 'game-{{ game.id }}',
    maxLength: LONGEST_LINE,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_LINE)
  collapse_key?: string;

  @ApiPropertyOptional({
    description: 'The number on the app’s icon; 0 takes it away.',
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000,
    example: 1,
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  badge_count?: number;

  @ApiPropertyOptional({
    description: 'The sound: `default`, or a file of the app.',
    example: 'default',
    maxLength: 128,
  })
  @IsOptional()
  @IsString()
  @MaxLength(128)
  sound?: string;

  @ApiPropertyOptional({
    description: 'What a tap opens, in Liquid.',
    example: 'OPEN_GAME',
    maxLength: LONGEST_LINE,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_LINE)
  click_action?: string;
}

/** What a template says on each channel: the fields of the channel's send without the recipient, their texts in Liquid. */
export class TemplateChannelsDto {
  @ApiPropertyOptional({ description: 'As SMS.', type: TemplateSmsDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TemplateSmsDto)
  sms?: TemplateSmsDto;

  @ApiPropertyOptional({ description: 'By WhatsApp.', type: TemplateWhatsAppDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TemplateWhatsAppDto)
  whatsapp?: TemplateWhatsAppDto;

  @ApiPropertyOptional({ description: 'By email.', type: TemplateEmailDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TemplateEmailDto)
  email?: TemplateEmailDto;

  @ApiPropertyOptional({ description: 'By Telegram.', type: TemplateTelegramDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TemplateTelegramDto)
  telegram?: TemplateTelegramDto;

  @ApiPropertyOptional({ description: 'As push notification.', type: TemplatePushDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => TemplatePushDto)
  push?: TemplatePushDto;
}

/** A change to what a template says: channels that are named are replaced, null takes one away, the others stay. */
export class TemplateChannelsPatchDto {
  @ApiPropertyOptional({ description: 'As SMS; null: no more.', type: TemplateSmsDto, nullable: true })
  @Nullable()
  @ValidateNested()
  @Type(() => TemplateSmsDto)
  sms?: TemplateSmsDto | null;

  @ApiPropertyOptional({ description: 'By WhatsApp; null: no more.', type: TemplateWhatsAppDto, nullable: true })
  @Nullable()
  @ValidateNested()
  @Type(() => TemplateWhatsAppDto)
  whatsapp?: TemplateWhatsAppDto | null;

  @ApiPropertyOptional({ description: 'By email; null: no more.', type: TemplateEmailDto, nullable: true })
  @Nullable()
  @ValidateNested()
  @Type(() => TemplateEmailDto)
  email?: TemplateEmailDto | null;

  @ApiPropertyOptional({ description: 'By Telegram; null: no more.', type: TemplateTelegramDto, nullable: true })
  @Nullable()
  @ValidateNested()
  @Type(() => TemplateTelegramDto)
  telegram?: TemplateTelegramDto | null;

  @ApiPropertyOptional({ description: 'As push notification; null: no more.', type: TemplatePushDto, nullable: true })
  @Nullable()
  @ValidateNested()
  @Type(() => TemplatePushDto)
  push?: TemplatePushDto | null;
}
