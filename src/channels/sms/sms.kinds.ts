import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString, Length } from 'class-validator';
import type { SmsContent } from '../../gateway/contracts/gateway';
import { NamedMessageView } from '../../messaging/named/named-message.view';
import { NamedSendOptionsDto, namedSendKind, type NamedSendKind } from '../../messaging/named/named-send';

/** `POST /communication/{provider}/sms` */
export class SendProviderSmsDto extends NamedSendOptionsDto {
  @ApiProperty({
    description:
      'The recipient’s number, E.164; or in national form with its leading 0, for an account that has a `default_country_code`. In the simulator, magic numbers choose what happens.',
    example: '+393331234567',
  })
  @IsString()
  @Length(1, 32)
  to: string;

  @ApiProperty({
    description: 'The text, at most 1600 characters.',
    example: 'Your parcel is here.',
    minLength: 1,
    maxLength: 1600,
  })
  @IsString()
  @Length(1, 1600)
  body: string;

  @ApiPropertyOptional({
    description:
      'The sender: a number (E.164), a short code, or up to 11 letters, digits and spaces. Default: the config’s own.',
    example: '+15005550006',
  })
  @IsOptional()
  @IsString()
  @Length(1, 16)
  from_number?: string;
}

/** An SMS by its provider. */
export class SmsMessage extends NamedMessageView {
  @ApiProperty({ description: 'Always `outbound`: you sent it.', enum: ['outbound'], example: 'outbound' })
  direction: 'outbound';

  @ApiProperty({
    description: 'The sender that was asked for; null: the default of the config.',
    nullable: true,
    type: String,
    example: '+15005550006',
  })
  from_number: string | null;

  @ApiProperty({ description: 'The recipient, E.164.', example: '+393331234567' })
  to: string;

  @ApiProperty({
    description: 'The text; null once erased.',
    nullable: true,
    type: String,
    example: 'Your parcel is here.',
  })
  body: string | null;

  @ApiProperty({
    description: 'Parts that it is sent in.',
    type: 'integer',
    nullable: true,
    example: 1,
  })
  segments: number | null;

  @ApiProperty({ description: 'How it is encoded.', enum: ['gsm7', 'ucs2'], nullable: true, example: 'gsm7' })
  encoding: string | null;
}

/** What each SMS provider has under its own path. */
export const SMS_KINDS: readonly NamedSendKind[] = [
  namedSendKind<SendProviderSmsDto>({
    channel: 'sms',
    path: 'sms',
    noun: { one: 'Sms', many: 'SmsMessages' },
    words: { one: 'an SMS', many: 'SMS' },
    body: SendProviderSmsDto,
    example: { to: '+393331234567', body: 'Your parcel is here.' },
    toSend: ({ body, from_number: from, ...options }) => ({ ...options, message: body, from }),
    fields: { message: 'body', from: 'from_number' },
    view: SmsMessage,
    describe: ({ content, from, to, segments, encoding }) => ({
      direction: 'outbound',
      from_number: from,
      to,
      body: (content as SmsContent | null)?.text ?? null,
      segments,
      encoding,
    }),
  }),
];
