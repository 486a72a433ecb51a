import { ApiExtraModels, ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsDefined,
  IsObject,
  IsOptional,
  IsString,
  Length,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { SendOptionsDto } from '../../messaging/intake/send-options.dto';
import { EmptyIsAbsent } from '../../platform/http/empty-list.decorator';
import { MAX_ATTACHMENTS, MAX_HEADERS, MAX_LIST, MAX_RECIPIENTS, MAX_SUBJECT } from './email-limits';

/** An address with an optional display name. */
export class EmailAddressDto {
  @ApiProperty({
    description: 'The address. Local part and domain may be in any script.',
    example: 'jörg@example.com',
    maxLength: 254,
  })
  email: string;

  @ApiPropertyOptional({
    description: 'The display name, as plain text.',
    example: 'Jörg Müller',
    maxLength: 255,
  })
  name?: string;
}

/** A file that goes with the mail. */
export class EmailAttachmentDto {
  @ApiProperty({ description: 'Its name, without a path.', example: 'invoice.pdf', minLength: 1, maxLength: 255 })
  @IsString()
  @Length(1, 255)
  filename: string;

  @ApiProperty({ description: 'Its media type.', example: 'application/pdf', minLength: 3, maxLength: 255 })
  @IsString()
  @Length(3, 255)
  content_type: string;

  @ApiProperty({
    description: 'Its bytes in base64 (RFC 4648 §4, padded, on one line). Not shown again: messages show its `size`.',
    example: 'JVBERi0xLjQK',
    minLength: 4,
  })
  @IsString()
  @Length(4)
  content: string;
}

/** What to track; missing members are as the config says. */
export class EmailTrackingDto {
  @ApiPropertyOptional({ description: 'Whether the mail was opened.', example: true })
  @IsOptional()
  @IsBoolean()
  opens?: boolean;

  @ApiPropertyOptional({ description: 'Which links were clicked.', example: true })
  @IsOptional()
  @IsBoolean()
  clicks?: boolean;

  @ApiPropertyOptional({
    description: 'Offer to unsubscribe: List-Unsubscribe with one click (RFC 8058), or the provider’s own way.',
    example: false,
  })
  @IsOptional()
  @IsBoolean()
  unsubscribe?: boolean;
}

const ADDRESS = {
  oneOf: [{ type: 'string', maxLength: 254, example: 'jane@example.com' }, { $ref: getSchemaPath(EmailAddressDto) }],
};
const addresses = (minItems: 0 | 1) => ({
  oneOf: [...ADDRESS.oneOf, { type: 'array', items: ADDRESS, minItems, maxItems: MAX_LIST }],
});

/** Whether a template is one of the tenant's own; others are the provider's. */
export function isOwnTemplate(id: unknown): id is string {
  return typeof id === 'string' && id.startsWith('tpl_');
}

function needsSubject({ subject, template_id: id }: { subject?: unknown; template_id?: unknown }): boolean {
  return (subject !== undefined && subject !== null) || !isOwnTemplate(id);
}

/** `POST /v1/email/send` */
@ApiExtraModels(EmailAddressDto)
export class SendEmailDto extends SendOptionsDto {
  @ApiProperty({
    description: `The recipients: an address, \`{email, name?}\`, or up to ${MAX_LIST} of them. The first one is the message’s recipient: its status is what is reported of it. In the simulator, magic addresses choose what happens.`,
    example: [{ email: 'jane@example.com', name: 'Jane Doe' }],
    ...addresses(1),
  })
  @IsDefined()
  to: unknown;

  @ApiPropertyOptional({
    description: 'The subject. Required, unless `template_id` names a template of yours, which has one.',
    example: 'Your order is on its way',
    minLength: 1,
    maxLength: MAX_SUBJECT,
  })
  @ValidateIf(needsSubject)
  @IsString()
  @Length(1, MAX_SUBJECT)
  subject: string;

  @ApiPropertyOptional({
    description: 'The text part. One of `text`, `html` and `template_id` is needed; `text` and `html` go together.',
    example: 'Hello Jane, your order is on its way.',
    minLength: 1,
  })
  @IsOptional()
  @IsString()
  @Length(1)
  text?: string;

  @ApiPropertyOptional({
    description: 'The HTML part.',
    example: '<p>Hello Jane, your order is on its way.</p>',
    minLength: 1,
  })
  @IsOptional()
  @IsString()
  @Length(1)
  html?: string;

  @ApiPropertyOptional({
    description:
      'A template instead of `text` and `html`: one of yours (`tpl_…`, its newest version, rendered when the message is accepted), or one that is stored with the provider.',
    example: 'd-0123456789abcdef0123456789abcdef',
    minLength: 1,
    maxLength: 255,
  })
  @IsOptional()
  @IsString()
  @Length(1, 255)
  template_id?: string;

  @ApiPropertyOptional({
    description: 'What the template’s placeholders stand for.',
    type: 'object',
    additionalProperties: true,
    example: { first_name: 'Jane' },
  })
  @IsOptional()
  @IsObject()
  template_data?: Record<string, unknown>;

  @ApiPropertyOptional({
    description: 'The sender: an address or `{email, name?}`. Default: the config’s own.',
    example: { email: 'orders@example.com', name: 'Example Shop' },
    ...ADDRESS,
  })
  @IsOptional()
  @IsDefined()
  from?: unknown;

  @ApiPropertyOptional({
    description: 'Where answers go: an address or `{email, name?}`. Default: the config’s own, else the sender.',
    example: 'help@example.com',
    ...ADDRESS,
  })
  @IsOptional()
  @EmptyIsAbsent()
  @IsDefined()
  reply_to?: unknown;

  @ApiPropertyOptional({
    description: `Further recipients, shown. With \`to\` and \`bcc\` at most ${MAX_RECIPIENTS}, each address once.`,
    example: ['team@example.com'],
    ...addresses(0),
  })
  @IsOptional()
  @EmptyIsAbsent()
  @IsDefined()
  cc?: unknown;

  @ApiPropertyOptional({
    description: 'Further recipients, not shown to the others.',
    example: ['archive@example.com'],
    ...addresses(0),
  })
  @IsOptional()
  @EmptyIsAbsent()
  @IsDefined()
  bcc?: unknown;

  @ApiPropertyOptional({
    description: `At most ${MAX_HEADERS} further header fields, name to value. None that has a field of its own here or that a mail server sets.`,
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { 'X-Entity-Ref-ID': 'order-8121' },
  })
  @IsOptional()
  @IsObject()
  headers?: Record<string, string>;

  @ApiPropertyOptional({ description: `At most ${MAX_ATTACHMENTS} files.`, type: [EmailAttachmentDto] })
  @IsOptional()
  @IsArray()
  @EmptyIsAbsent()
  @ArrayMaxSize(MAX_ATTACHMENTS)
  @ValidateNested({ each: true })
  @Type(() => EmailAttachmentDto)
  attachments?: EmailAttachmentDto[];

  @ApiPropertyOptional({ description: 'What to track. Default: as the config says.', type: EmailTrackingDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => EmailTrackingDto)
  tracking?: EmailTrackingDto;
}
