import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt, IsOptional, IsString, Length, Max, Min } from 'class-validator';

/** `POST /simulator/inbound` */
export class SimulateInboundDto {
  @ApiProperty({
    description:
      'The provider by which the text comes: `twilio`, `vonage`, `elks`, `skebby`, `smpp`, `agile`, `whatsapp`, `twilio-whatsapp` or `telegram`.',
    example: 'twilio',
  })
  @IsString()
  @Length(1, 40)
  provider: string;

  @ApiProperty({
    description: 'Who writes: a number in E.164, a name or a short code; for Telegram the id of the chat.',
    example: '+393331234567',
  })
  @IsString()
  @Length(1, 64)
  from: string;

  @ApiPropertyOptional({
    description:
      'What the person writes to: your number. For Telegram the name of the bot as you have it in your numbers; it may be left out.',
    example: '+15005550006',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  to?: string;

  @ApiProperty({ description: 'What the person writes.', example: 'Hello! 👋', minLength: 1, maxLength: 4096 })
  @IsString()
  @Length(1, 4096)
  text: string;

  @ApiPropertyOptional({
    description:
      'The account that it comes by. Left out: the one that has the number `to`, else the oldest active one of the provider.',
    example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  config_id?: string;

  @ApiPropertyOptional({
    description:
      'How often the provider hands over the very same message: UniMsg takes it once. Not so by SMPP, which has no ids: what was acknowledged and comes again is another message.',
    type: 'integer',
    minimum: 1,
    maximum: 10,
    default: 1,
    example: 1,
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(10)
  repeat?: number;

  @ApiPropertyOptional({
    description:
      'Into how many parts the text is cut at least; `vonage` and `smpp` hand over the parts of a long text one by one, and UniMsg joins them. Left out: as a phone cuts it.',
    type: 'integer',
    minimum: 1,
    maximum: 20,
    default: 1,
    example: 1,
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(20)
  parts?: number;
}
