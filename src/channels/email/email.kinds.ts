import { ApiProperty, ApiPropertyOptional, IntersectionType, OmitType, PickType } from '@nestjs/swagger';
import { IsOptional, IsString, Length } from 'class-validator';
import { BOUNCE_TYPES } from '../../gateway/contracts/callback';
import type { EmailContent } from '../../gateway/contracts/gateway';
import { NamedMessageView } from '../../messaging/named/named-message.view';
import { NamedSendOptionsDto, namedSendKind, type NamedSendKind } from '../../messaging/named/named-send';
import { EngagementView } from '../../messaging/record/engagement.view';
import type { MessageView } from '../../messaging/record/message.view';
import { EmailAddressDto, SendEmailDto } from './send-email.dto';

/** `POST /communication/{provider}/emails` */
export class SendProviderEmailDto extends IntersectionType(
  OmitType(SendEmailDto, ['provider', 'text', 'html'] as const),
  PickType(NamedSendOptionsDto, ['config_id'] as const),
) {
  @ApiPropertyOptional({
    description:
      'The text part. One of `body_text`, `body_html` and `template_id` is needed; `body_text` and `body_html` go together.',
    example: 'Hello Jane, your order is on its way.',
    minLength: 1,
  })
  @IsOptional()
  @IsString()
  @Length(1)
  body_text?: string;

  @ApiPropertyOptional({
    description: 'The HTML part.',
    example: '<p>Hello Jane, your order is on its way.</p>',
    minLength: 1,
  })
  @IsOptional()
  @IsString()
  @Length(1)
  body_html?: string;
}

/** A file that went with a mail. */
export class EmailAttachmentView {
  @ApiProperty({ description: 'Its name.', example: 'invoice.pdf' })
  filename: string;

  @ApiProperty({ description: 'Its media type.', example: 'application/pdf' })
  content_type: string;

  @ApiProperty({ description: 'Bytes.', type: 'integer', example: 9 })
  size: number;
}

const text = (description: string, example: string | null) =>
  ApiProperty({ description, nullable: true, type: String, example });
const addresses = (description: string) => ApiProperty({ description, type: [EmailAddressDto] });
const address = (description: string) => ApiProperty({ description, type: EmailAddressDto, nullable: true });

/** An email by its provider. Its content is null or empty once erased. */
export class EmailMessage extends NamedMessageView {
  @addresses('The recipients; the first one is the message’s.')
  to: EmailAddressDto[];

  @addresses('Further recipients, shown.')
  cc: EmailAddressDto[];

  @addresses('Further recipients, not shown to the others.')
  bcc: EmailAddressDto[];

  @address('The sender that was asked for; null: the default of the config.')
  from: EmailAddressDto | null;

  @address('Where answers go; null: the default of the config.')
  reply_to: EmailAddressDto | null;

  @text('The subject.', 'Your order is on its way')
  subject: string | null;

  @text('The text part.', 'Hello Jane, your order is on its way.')
  body_text: string | null;

  @text('The HTML part.', '<p>Hello Jane, your order is on its way.</p>')
  body_html: string | null;

  @text('The template that is stored with the provider.', null)
  template_id: string | null;

  @ApiProperty({
    description: 'What the template’s placeholders stand for.',
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: null,
  })
  template_data: Record<string, unknown> | null;

  @ApiProperty({
    description: 'Further header fields.',
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { 'X-Entity-Ref-ID': 'order-8121' },
  })
  headers: Record<string, string>;

  @ApiProperty({ description: 'The files, without what is in them.', type: [EmailAttachmentView] })
  attachments: EmailAttachmentView[];

  @ApiProperty({ description: 'What the recipients did with it.', type: EngagementView })
  engagement: EngagementView;

  @ApiProperty({
    description: 'The gravest of its bounces; null: none.',
    enum: BOUNCE_TYPES,
    nullable: true,
    example: null,
  })
  bounce_type: EngagementView['bounce_type'];
}

/** What of a stored file is shown; its bytes may be gone already. */
interface StoredAttachment {
  filename: string;
  content_type: string;
  content?: string;
  size?: number;
}

function describe({ content, to, engagement }: MessageView): object {
  const mail: Partial<EmailContent> = content ?? {};
  const files = (mail.attachments ?? []) as StoredAttachment[];
  return {
    to: mail.to ?? [{ email: to }],
    cc: mail.cc ?? [],
    bcc: mail.bcc ?? [],
    from: mail.from ?? null,
    reply_to: mail.reply_to ?? null,
    subject: mail.subject ?? null,
    body_text: mail.text ?? null,
    body_html: mail.html ?? null,
    template_id: mail.template_id ?? null,
    template_data: mail.template_data ?? null,
    headers: mail.headers ?? {},
    attachments: files.map(({ filename, content_type, content: base64 = '', size }) => ({
      filename,
      content_type,
      size: size ?? Buffer.byteLength(base64, 'base64'),
    })),
    engagement,
    bounce_type: engagement?.bounce_type ?? null,
  };
}

/** What each email provider has under its own path. */
export const EMAIL_KINDS: readonly NamedSendKind[] = [
  namedSendKind<SendProviderEmailDto>({
    channel: 'email',
    path: 'emails',
    noun: { one: 'Email', many: 'Emails' },
    words: { one: 'an email', many: 'emails' },
    body: SendProviderEmailDto,
    example: {
      to: ['jane@example.com'],
      subject: 'Your order is on its way',
      body_text: 'Hello Jane, your order is on its way.',
      body_html: '<p>Hello Jane, your order is on its way.</p>',
    },
    toSend: ({ body_text, body_html, ...options }) => ({ ...options, text: body_text, html: body_html }),
    fields: { text: 'body_text', html: 'body_html' },
    view: EmailMessage,
    describe,
  }),
];
