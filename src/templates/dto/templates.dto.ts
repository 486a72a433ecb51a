import { ApiExtraModels, ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  IsDefined,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { CHANNELS, type Channel } from '../../kernel/channel';
import { Nullable } from '../../platform/http/nullable.decorator';
import { MOST_VARIABLES, VARIABLE_TYPES } from '../variables';
import { TemplateChannelsDto, TemplateChannelsPatchDto } from './channel-templates.dto';

const ANYTHING = {
  oneOf: [
    { type: 'string' },
    { type: 'number' },
    { type: 'boolean' },
    { type: 'array', items: {} },
    { type: 'object', additionalProperties: true },
    { type: 'null' },
  ],
};

/** What a template says of one variable. */
export class TemplateVariableDto {
  @ApiPropertyOptional({
    description:
      'What its value must be; a number is taken for a string too. `date` and `datetime` are texts in ISO 8601. Default: anything.',
    enum: VARIABLE_TYPES,
    example: 'string',
  })
  type?: string;

  @ApiPropertyOptional({
    description:
      'Whether it must have a value, on every channel and in every language. Default: true, unless there is a `default`.',
    example: true,
  })
  required?: boolean;

  @ApiPropertyOptional({ description: 'Its value when the data has none. Anything.', example: 'player', ...ANYTHING })
  default?: unknown;

  @ApiPropertyOptional({ description: 'What a preview without data shows. Anything.', example: 'Åsa', ...ANYTHING })
  example?: unknown;

  @ApiPropertyOptional({ description: 'What it is for.', example: 'First name of the player.', maxLength: 500 })
  description?: string;
}

/** The same in a list. */
export class NamedTemplateVariableDto extends TemplateVariableDto {
  @ApiProperty({ description: 'Its name, or a path such as `game.id`.', example: 'name' })
  name: string;
}

const NAME = { description: 'What you call it.', example: 'Game reminder', minLength: 1, maxLength: 128 };
const CHANNELS_TEXT =
  'What it says on each channel: the fields of the channel’s send without the recipient, their texts in Liquid. At least one channel.';
const LOCALES = {
  description:
    'The same in further languages, by BCP 47 tag. A recipient of the locale `de-AT` gets `de-AT`, else `de`, else what `channels` says, channel by channel. Each channel here must be in `channels` too.',
  type: 'object' as const,
  example: { de: { sms: { message: 'Hallo {{ name }}, bis {{ starts_at | date: "%H:%M" }} Uhr.' } } },
};
export const VARIABLES = {
  description: `What the texts may name, at most ${MOST_VARIABLES}: a list of names, or an object with what is to be said of each, where a mere text is its type or what it is for; or a list of such objects with a \`name\`. A name may be a path such as \`game.id\`. Each is required unless it says otherwise. A variable that a text takes and that is not here is required where the text is sent.`,
  oneOf: [
    {
      type: 'array',
      items: { oneOf: [{ type: 'string' }, { $ref: getSchemaPath(NamedTemplateVariableDto) }] },
      maxItems: MOST_VARIABLES,
    },
    {
      type: 'object',
      additionalProperties: { oneOf: [{ type: 'string' }, { $ref: getSchemaPath(TemplateVariableDto) }] },
    },
  ],
  example: { name: { type: 'string', example: 'Åsa' }, starts_at: { type: 'string', example: '2026-03-01T18:30:00Z' } },
};
const DEFAULT_LOCALE = {
  description: 'The language of `channels`, BCP 47; the names of days and months are in it. Default: English.',
  example: 'en',
  maxLength: 35,
};

/** `POST /v1/templates`, `PUT /v1/templates/{id}` */
@ApiExtraModels(TemplateVariableDto, NamedTemplateVariableDto, TemplateChannelsDto, TemplateChannelsPatchDto)
export class TemplateDto {
  @ApiProperty(NAME)
  @IsString()
  @Length(1, 128)
  name: string;

  @ApiProperty({ description: CHANNELS_TEXT, type: TemplateChannelsDto })
  @IsDefined()
  @ValidateNested()
  @Type(() => TemplateChannelsDto)
  channels: TemplateChannelsDto;

  @ApiPropertyOptional({ ...LOCALES, additionalProperties: { $ref: getSchemaPath(TemplateChannelsDto) } })
  @IsOptional()
  @IsObject()
  locales?: Record<string, unknown>;

  @ApiPropertyOptional(VARIABLES)
  @IsOptional()
  @IsDefined()
  variables?: unknown;

  @ApiPropertyOptional(DEFAULT_LOCALE)
  @IsOptional()
  @IsString()
  @MaxLength(35)
  default_locale?: string;
}

/** `PATCH /v1/templates/{id}` */
export class UpdateTemplateDto {
  @ApiPropertyOptional(NAME)
  @IsOptional()
  @IsString()
  @Length(1, 128)
  name?: string;

  @ApiPropertyOptional({
    description: 'Channels that are named are replaced, null takes one away, the others stay.',
    type: TemplateChannelsPatchDto,
  })
  @IsOptional()
  @ValidateNested()
  @Type(() => TemplateChannelsPatchDto)
  channels?: TemplateChannelsPatchDto;

  @ApiPropertyOptional({
    ...LOCALES,
    description: 'By BCP 47 tag, each changed as `channels` is; null takes a language away, the others stay.',
    additionalProperties: { oneOf: [{ $ref: getSchemaPath(TemplateChannelsPatchDto) }, { type: 'null' }] },
  })
  @IsOptional()
  @IsObject()
  locales?: Record<string, unknown>;

  @ApiPropertyOptional({
    ...VARIABLES,
    description: 'Replaces what was declared; null: nothing is declared.',
    nullable: true,
  })
  @Nullable()
  @IsDefined()
  variables?: unknown;

  @ApiPropertyOptional({
    ...DEFAULT_LOCALE,
    description: 'The language of `channels`, BCP 47; null clears it.',
    type: String,
    nullable: true,
  })
  @Nullable()
  @IsString()
  @MaxLength(35)
  default_locale?: string | null;
}

/** `POST /v1/templates/{id}/preview` */
export class PreviewTemplateDto {
  @ApiPropertyOptional({
    description: 'Only this channel. Default: all that the template has.',
    enum: CHANNELS,
    example: 'sms',
  })
  @IsOptional()
  @IsIn(CHANNELS)
  channel?: Channel;

  @ApiPropertyOptional({ description: 'For a recipient of this language, BCP 47.', example: 'de-AT', maxLength: 35 })
  @IsOptional()
  @IsString()
  @MaxLength(35)
  locale?: string;

  @ApiPropertyOptional({
    description: 'An earlier version. Default: the newest.',
    type: 'integer',
    minimum: 1,
    example: 2,
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(2_147_483_647)
  version?: number;

  @ApiPropertyOptional({
    description: 'Values of the variables. Left out: the `example` of each variable that has one.',
    type: 'object',
    additionalProperties: true,
    example: { name: 'Åsa', starts_at: '2026-03-01T18:30:00Z' },
  })
  @IsOptional()
  @IsObject()
  data?: Record<string, unknown>;
}
