import { ApiPropertyOptional, OmitType } from '@nestjs/swagger';
import { IsOptional, IsString, Length } from 'class-validator';
import { ListMessagesQueryDto } from '../messages.dto';

/** The parameters of a list of one provider's messages. */
export class ListNamedQueryDto extends OmitType(ListMessagesQueryDto, ['channel'] as const) {
  @ApiPropertyOptional({
    description: 'Only those that this account of yours took.',
    example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  config_id?: string;
}
