import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString, Length } from 'class-validator';
import { SendOptionsDto } from '../../messaging/intake/send-options.dto';

/** `POST /v1/sms/send` */
export class SendSmsDto extends SendOptionsDto {
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
  message: string;

  @ApiPropertyOptional({
    description:
      'The sender: a number (E.164), a short code, or up to 11 letters, digits and spaces. Default: the config’s own.',
    example: 'UniMsg',
  })
  @IsOptional()
  @IsString()
  @Length(1, 16)
  from?: string;
}
