import { ApiProperty, ApiPropertyOptional, IntersectionType, OmitType, PickType } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsOptional, IsString, IsUrl, Length, MaxLength } from 'class-validator';
import type { WhatsAppContent } from '../../gateway/contracts/gateway';
import { NamedMessageView } from '../../messaging/named/named-message.view';
import { NamedSendOptionsDto, namedSendKind, type NamedSendKind } from '../../messaging/named/named-send';
import type { MessageTimes } from '../../messaging/record/message-reader';
import type { MessageView } from '../../messaging/record/message.view';
import { SendWhatsAppDto, WhatsAppTemplateDto } from './send-whatsapp.dto';

class ToNumberDto extends IntersectionType(NamedSendOptionsDto, PickType(SendWhatsAppDto, ['to'] as const)) {}

/** `POST /communication/{provider}/messages/template` */
export class SendWhatsAppTemplateDto extends ToNumberDto {
  @ApiProperty({
    description: 'The template: its name at Meta, its Content SID (`HX…`) at Twilio.',
    example: 'order_shipped',
    minLength: 1,
    maxLength: 512,
  })
  @IsString()
  @Length(1, 512)
  template_name: string;

  @ApiPropertyOptional({
    description: 'Language of the template, as the provider spells it. Default: the config’s `default_language_code`.',
    example: 'en_US',
    maxLength: 15,
  })
  @IsOptional()
  @IsString()
  @Length(1, 15)
  template_language?: string;

  @ApiPropertyOptional({
    description: 'Values of the placeholders, in their order.',
    type: [String],
    example: ['Ann', '8121'],
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @Length(1, 32_768, { each: true })
  template_parameters?: string[];

  @ApiPropertyOptional({
    description: 'Address of the image, video or document of a template that has one in its header.',
    example: 'https://cdn.example.com/parcel.jpg',
  })
  @IsOptional()
  @IsUrl({ protocols: ['http', 'https'], require_protocol: true, require_tld: false })
  @MaxLength(2048)
  media_url?: string;
}

/** `POST /communication/{provider}/messages/text` */
export class SendWhatsAppTextDto extends ToNumberDto {
  @ApiProperty({
    description: 'Free text, at most 4096 characters. Only within 24 hours after the recipient wrote to you.',
    example: 'Your parcel is here.',
    minLength: 1,
    maxLength: 4096,
  })
  @IsString()
  @Length(1, 4096)
  body_text: string;
}

/** `POST /communication/{provider}/messages` */
export class SendProviderWhatsAppDto extends IntersectionType(
  OmitType(SendWhatsAppDto, ['provider'] as const),
  PickType(NamedSendOptionsDto, ['config_id'] as const),
) {}

const MESSAGE_TYPES = ['template', 'text', 'media'] as const;
const text = (description: string, example: string | null) =>
  ApiProperty({ description, nullable: true, type: String, example });

/** A WhatsApp message by its provider. What its type has no use for is null, and so is all of its content once erased. */
export class WhatsAppMessage extends NamedMessageView {
  @ApiProperty({
    description: 'What it is; null once erased.',
    enum: MESSAGE_TYPES,
    nullable: true,
    example: 'template',
  })
  message_type: (typeof MESSAGE_TYPES)[number] | null;

  @text('The sender that was asked for; null: the default of the config.', null)
  from_number: string | null;

  @ApiProperty({ description: 'The recipient, E.164.', example: '+393331234567' })
  to: string;

  @text('The text, or the caption of the media.', null)
  body_text: string | null;

  @text('The template.', 'order_shipped')
  template_name: string | null;

  @text('The language that was asked for; null: the default of the config.', 'en_US')
  template_language: string | null;

  @ApiProperty({
    description: 'Values of the placeholders, in their order.',
    type: [String],
    nullable: true,
    example: ['Ann', '8121'],
  })
  template_parameters: string[] | null;

  @text('The media, or that of the template’s header.', null)
  media_url: string | null;

  @ApiProperty({
    description: 'When the recipient read it, as far as the provider tells.',
    format: 'date-time',
    nullable: true,
    type: String,
    example: '2026-11-22T08:32:10.000Z',
  })
  read_at: string | null;
}

function describe({ content, from, to }: MessageView, times: MessageTimes): object {
  const { text: body, template, media } = (content ?? {}) as WhatsAppContent;
  return {
    message_type: template ? 'template' : media ? 'media' : body === undefined ? null : 'text',
    from_number: from,
    to,
    body_text: body ?? media?.caption ?? null,
    template_name: template?.name ?? null,
    template_language: template?.language ?? null,
    template_parameters: template?.parameters ?? null,
    media_url: media?.url ?? template?.media_url ?? null,
    read_at: times.read ?? null,
  };
}

const COMMON = { channel: 'whatsapp', view: WhatsAppMessage, describe } as const;

/** What each WhatsApp provider has under its own path. */
export const WHATSAPP_KINDS: readonly NamedSendKind[] = [
  namedSendKind<SendWhatsAppTemplateDto>({
    ...COMMON,
    path: 'messages/template',
    noun: { one: 'TemplateMessage', many: 'TemplateMessages' },
    words: { one: 'a WhatsApp template message', many: 'WhatsApp template messages' },
    body: SendWhatsAppTemplateDto,
    example: {
      to: '+393331234567',
      template_name: 'order_shipped',
      template_language: 'en_US',
      template_parameters: ['Ann', '8121'],
    },
    examples: {
      'twilio-whatsapp': {
        to: '+393331234567',
        template_name: 'HX0123456789abcdef0123456789abcdef',
        template_parameters: ['Ann', '8121'],
      },
    },
    toSend: ({ template_name, template_language, template_parameters, media_url, ...options }) => {
      const template: WhatsAppTemplateDto = { name: template_name };
      if (template_language !== undefined) template.language = template_language;
      if (template_parameters !== undefined) template.parameters = template_parameters;
      if (media_url !== undefined) template.media_url = media_url;
      return { ...options, template };
    },
    fields: {
      template: 'template_name',
      'template.name': 'template_name',
      'template.language': 'template_language',
      'template.parameters': 'template_parameters',
      'template.media_url': 'media_url',
    },
    contentMember: 'template',
  }),
  namedSendKind<SendWhatsAppTextDto>({
    ...COMMON,
    path: 'messages/text',
    noun: { one: 'TextMessage', many: 'TextMessages' },
    words: { one: 'a WhatsApp text message', many: 'WhatsApp text messages' },
    body: SendWhatsAppTextDto,
    example: { to: '+393331234567', body_text: 'Your parcel is here.' },
    toSend: ({ body_text, ...options }) => ({ ...options, message: body_text }),
    fields: { message: 'body_text', text: 'body_text' },
    contentMember: 'text',
  }),
  namedSendKind<SendProviderWhatsAppDto>({
    ...COMMON,
    path: 'messages',
    noun: { one: 'Message', many: 'Messages' },
    words: { one: 'a WhatsApp message', many: 'WhatsApp messages' },
    body: SendProviderWhatsAppDto,
    example: { to: '+393331234567', message: 'Your parcel is here.' },
    toSend: (send) => send,
    fields: {},
  }),
];
