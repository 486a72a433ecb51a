import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Length, Matches } from 'class-validator';
import { ALERT_WORDS, type AlertWord } from '../platform/alerts/alert-words';
import { PageQueryDto } from '../platform/http/cursor';
import { PhoneFilter } from '../platform/http/query-text';

export const ALERT_STATE_FILTERS = ['open', 'cleared', 'all'] as const;

/** `GET /v1/alerts` */
export class ListAlertsQueryDto extends PageQueryDto {
  @ApiPropertyOptional({
    description: 'Those that last, those that are over, or both.',
    enum: ALERT_STATE_FILTERS,
    default: 'all',
    example: 'open',
  })
  @IsOptional()
  @IsIn(ALERT_STATE_FILTERS)
  state: (typeof ALERT_STATE_FILTERS)[number] = 'all';

  @ApiPropertyOptional({ description: 'Only this word.', enum: ALERT_WORDS, example: 'dead_letter' })
  @IsOptional()
  @IsIn(ALERT_WORDS)
  alert?: AlertWord;

  @ApiPropertyOptional({
    description: 'Only about this: an id, or a number.',
    example: 'nrc_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  @IsOptional()
  @IsString()
  @Length(1, 200)
  @PhoneFilter()
  subject?: string;
}

/** `GET /admin/alerts` */
export class ListAllAlertsQueryDto extends ListAlertsQueryDto {
  @ApiPropertyOptional({ description: 'Only of this tenant.', example: 'acme_4k2jx81m0qv7e3hz' })
  @IsOptional()
  @IsString()
  @Matches(/^[a-z0-9_-]{1,80}$/, { message: 'client_id must be the id of a tenant' })
  client_id?: string;
}
