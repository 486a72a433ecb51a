import { ApiPropertyOptional, PickType } from '@nestjs/swagger';
import { IsOptional, IsString, Length } from 'class-validator';
import { PageQueryDto } from '../platform/http/cursor';
import { PhoneFilter } from '../platform/http/query-text';

/** `GET /simulator/messages` */
export class SimulatedMessageQueryDto extends PickType(PageQueryDto, ['limit'] as const) {
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
}
