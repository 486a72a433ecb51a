import { ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn, IsOptional, IsString, Length, MaxLength } from 'class-validator';
import { CHANNELS, type Channel } from '../../kernel/channel';
import { PageQueryDto } from '../../platform/http/cursor';
import { PhoneFilter } from '../../platform/http/query-text';
import { LONGEST_DETAIL, LONGEST_RECIPIENT, SUPPRESSION_REASONS, type SuppressionReason } from './suppression';

/** Most bytes of a CSV text are those of a large body; a list in JSON is shorter. */
export const MOST_ENTRIES = 1_000;

const WHY = `why, ${SUPPRESSION_REASONS.map((reason) => `\`${reason}\``).join(', ')}; any other text is taken for \`manual\` and kept in \`detail\`.`;

/** `GET /v1/suppressions` */
export class ListSuppressionsQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'Only this channel.', enum: CHANNELS, example: 'sms' })
  @IsOptional()
  @IsIn(CHANNELS)
  channel?: Channel;

  @ApiPropertyOptional({ description: 'Only this recipient.', example: '+393331234567' })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_RECIPIENT)
  @PhoneFilter()
  recipient?: string;

  @ApiPropertyOptional({ description: 'Only with this reason.', enum: SUPPRESSION_REASONS, example: 'stop' })
  @IsOptional()
  @IsIn(SUPPRESSION_REASONS)
  reason?: SuppressionReason;

  @ApiPropertyOptional({
    description: '`csv`: the whole list as CSV, without paging; the same as `Accept: text/csv`.',
    enum: ['json', 'csv'],
    example: 'json',
  })
  @IsOptional()
  @IsIn(['json', 'csv'])
  format?: 'json' | 'csv';
}

/** `DELETE /v1/suppressions` */
export class DeleteSuppressionQueryDto {
  @ApiPropertyOptional({ description: 'The channel of the entry; with `recipient`.', enum: CHANNELS, example: 'sms' })
  @IsOptional()
  @IsIn(CHANNELS)
  channel?: Channel;

  @ApiPropertyOptional({ description: 'The recipient of the entry; with `channel`.', example: '+393331234567' })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_RECIPIENT)
  @PhoneFilter()
  recipient?: string;

  @ApiPropertyOptional({
    description: 'Id of the entry, in place of the two others.',
    example: 'sup_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  id?: string;
}

/** `POST /v1/suppressions`: one of `channel` with `recipient`, `suppressions`, and `csv`. */
export class CreateSuppressionsDto {
  @ApiPropertyOptional({ description: 'For one recipient: the channel.', enum: CHANNELS, example: 'sms' })
  @IsOptional()
  @IsIn(CHANNELS)
  channel?: Channel;

  @ApiPropertyOptional({
    description: 'For one recipient: the number, address, chat id or device token.',
    example: '+393331234567',
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_RECIPIENT)
  recipient?: string;

  @ApiPropertyOptional({
    description: `For one recipient: ${WHY}`,
    maxLength: LONGEST_DETAIL,
    default: 'manual',
    example: 'manual',
  })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_DETAIL)
  reason?: string;

  @ApiPropertyOptional({
    description: 'For one recipient: a note.',
    maxLength: LONGEST_DETAIL,
    example: 'asked by telephone',
  })
  @IsOptional()
  @IsString()
  @MaxLength(LONGEST_DETAIL)
  detail?: string;

  @ApiPropertyOptional({
    description:
      'Many recipients, each with the fields of one. A wrong one is told of and does not keep the others off the list.',
    type: 'array',
    items: {
      type: 'object',
      additionalProperties: true,
      properties: {
        channel: { type: 'string', enum: [...CHANNELS], description: 'The channel.', example: 'sms' },
        recipient: { type: 'string', description: 'The recipient.', example: '+393331234567' },
        reason: { type: 'string', maxLength: LONGEST_DETAIL, description: `The reason: ${WHY}`, example: 'manual' },
        detail: { type: 'string', description: 'A note.', example: 'asked by telephone' },
      },
    },
    minItems: 1,
    maxItems: MOST_ENTRIES,
    example: [{ channel: 'sms', recipient: '+393331234567' }],
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MOST_ENTRIES)
  suppressions?: unknown[];

  @ApiPropertyOptional({
    description:
      'Many recipients as CSV: a first line with the names of the columns, of which `channel` and `recipient` must be there, `reason` and `detail` may, and others do not count. A body of the type `text/csv` is the same.',
    example: 'channel,recipient,reason\nsms,+393331234567,stop\n',
  })
  @IsOptional()
  @IsString()
  csv?: string;
}
