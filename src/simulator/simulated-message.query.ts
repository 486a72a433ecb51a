import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString, Length } from 'class-validator';
import { PageQueryDto } from '../platform/http/cursor';
import { PhoneFilter } from '../platform/http/query-text';

/** `GET /simulator/messages` */
export class SimulatedMessageQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'Only to this recipient, E.164.', example: '+15005550000' })
  @IsOptional()
  @IsString()
  @Length(1, 320)
  @PhoneFilter()
  to?: string;

  @ApiPropertyOptional({ description: 'Only what this provider received.', example: 'twilio' })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  provider?: string;

  @ApiPropertyOptional({
    description: 'Only the message with this id; the same as `reference`.',
    example: 'msg_01jd3k8r5x7q2m9v4b6n8c0d1f',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  message_id?: string;

  @ApiPropertyOptional({
    description: 'Only with this reference: the message id that the provider was given.',
    example: 'msg_01jd3k8r5x7q2m9v4b6n8c0d1f',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  reference?: string;
}
