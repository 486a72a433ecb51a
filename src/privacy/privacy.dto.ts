import { ApiProperty } from '@nestjs/swagger';
import { IsString, Length } from 'class-validator';
import { LONGEST_RECIPIENT } from '../messaging/suppression/suppression';

/** `POST /v1/privacy/erase` */
export class ErasePersonDto {
  @ApiProperty({
    description: 'Who: a phone number, an email address, a chat id or a device token.',
    minLength: 1,
    maxLength: LONGEST_RECIPIENT,
    example: '+393331234567',
  })
  @IsString()
  @Length(1, LONGEST_RECIPIENT)
  recipient: string;
}
