import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsOptional,
  IsString,
  IsUrl,
  Length,
  Matches,
  MaxLength,
  ValidateNested,
} from 'class-validator';
import { SendOptionsDto } from '../../messaging/intake/send-options.dto';

const WEB_ADDRESS = { protocols: ['http', 'https'], require_protocol: true, require_tld: false };

/** An approved template and what goes into its placeholders. */
export class WhatsAppTemplateDto {
  @ApiProperty({
    description: 'The template: its name at Meta, its Content SID (`HX…`) at Twilio.',
    example: 'order_shipped',
    minLength: 1,
    maxLength: 512,
  })
  @IsString()
  @Length(1, 512)
  name: string;

  @ApiPropertyOptional({
    description:
      'Language of the template, as the provider spells it. Default: the config’s `default_language_code`. A Content SID at Twilio has its language in it.',
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
    description: 'Values of the placeholders, in their order: the first one is `{{1}}`.',
    type: [String],
    example: ['Ann', '8121'],
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @Length(1, 32_768, { each: true })
  parameters?: string[];

  @ApiPropertyOptional({
    description: 'Address of the image, video or document of a template that has one in its header.',
    example: 'https://cdn.example.com/parcel.jpg',
  })
  @IsOptional()
  @IsUrl(WEB_ADDRESS)
  @MaxLength(2048)
  media_url?: string;
}

/** A file that the provider fetches by itself. */
export class WhatsAppMediaDto {
  @ApiProperty({
    description: 'Address of the file, http or https; its ending says what it is.',
    example: 'https://cdn.example.com/invoice-8121.pdf',
  })
  @IsUrl(WEB_ADDRESS)
  @MaxLength(2048)
  url: string;

  @ApiPropertyOptional({ description: 'Text under the file.', example: 'Your invoice', maxLength: 1024 })
  @IsOptional()
  @IsString()
  @Length(1, 1024)
  caption?: string;
}

/** `POST /v1/whatsapp/send` */
export class SendWhatsAppDto extends SendOptionsDto {
  @ApiProperty({
    description: 'The recipient’s number, E.164. In the simulator, magic numbers choose what happens.',
    example: '+393331234567',
  })
  @IsString()
  @Length(1, 32)
  to: string;

  @ApiPropertyOptional({
    description:
      'Free text, at most 4096 characters. Only within 24 hours after the recipient wrote to you; else `window_closed`, and a template is needed.',
    example: 'Your parcel is here.',
    minLength: 1,
    maxLength: 4096,
  })
  @IsOptional()
  @IsString()
  @Length(1, 4096)
  message?: string;

  @ApiPropertyOptional({ description: 'An approved template; the way to write first.', type: WhatsAppTemplateDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => WhatsAppTemplateDto)
  template?: WhatsAppTemplateDto;

  @ApiPropertyOptional({ description: 'An image, video, sound or document.', type: WhatsAppMediaDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => WhatsAppMediaDto)
  media?: WhatsAppMediaDto;

  @ApiPropertyOptional({
    description: 'The sender: a WhatsApp number of the account, E.164. Default: the config’s own.',
    example: '+15005550006',
  })
  @IsOptional()
  @IsString()
  @Length(1, 32)
  from?: string;
}
