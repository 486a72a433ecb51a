import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { CHANNELS } from '../../kernel/channel';
import { TemplateChannelsDto } from './channel-templates.dto';
import { TemplateVariableDto, VARIABLES } from './templates.dto';

/** One version of a template. */
@ApiExtraModels(TemplateChannelsDto, TemplateVariableDto)
export class TemplateView {
  @ApiProperty({ description: 'Id of the template.', example: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'The same id, as a notification calls it.', example: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  template_id: string;

  @ApiProperty({ description: 'What you call it.', example: 'Game reminder' })
  name: string;

  @ApiProperty({ description: 'Which version this is; each change makes the next one.', type: 'integer', example: 3 })
  version: number;

  @ApiProperty({ description: 'What it says on each channel.', type: TemplateChannelsDto })
  channels: object;

  @ApiProperty({
    description: 'The same in further languages, by BCP 47 tag.',
    type: 'object',
    additionalProperties: { $ref: getSchemaPath(TemplateChannelsDto) },
    example: { de: { sms: { message: 'Hallo {{ name }}' } } },
  })
  locales: object;

  @ApiProperty({
    ...VARIABLES,
    description: 'The declared variables: their names, or what is said of each; null: none.',
    oneOf: [
      { type: 'array', items: { type: 'string' } },
      { type: 'object', additionalProperties: { $ref: getSchemaPath(TemplateVariableDto) } },
      { type: 'null' },
    ],
  })
  variables: object | null;

  @ApiProperty({
    description: 'The language of `channels`; null: not said.',
    type: String,
    nullable: true,
    example: 'en',
  })
  default_locale: string | null;

  @ApiProperty({
    description: 'Names of all variables that the texts take, declared or not.',
    type: [String],
    example: ['name', 'starts_at'],
  })
  used_variables: string[];

  @ApiProperty({ description: 'When the template was made.', format: 'date-time', example: '2026-01-31T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({ description: 'When this version was made.', format: 'date-time', example: '2026-02-01T09:00:00.000Z' })
  updated_at: string;
}

export class DeletedTemplateView {
  @ApiProperty({ description: 'Id of the template.', example: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'Always true.', example: true })
  deleted: true;
}

/** What one channel would get. */
export class ChannelPreviewView {
  @ApiProperty({
    description: 'The language that was chosen; null: what `channels` says.',
    type: String,
    nullable: true,
    example: 'de',
  })
  locale: string | null;

  @ApiProperty({
    description: 'The fields of the channel’s send, with all values filled in.',
    type: 'object',
    additionalProperties: true,
    example: { message: 'Hallo Åsa, bis 18:30 Uhr.' },
  })
  content: object;

  @ApiProperty({
    description: 'How an SMS is encoded; null on other channels.',
    enum: ['gsm7', 'ucs2'],
    nullable: true,
    example: 'gsm7',
  })
  encoding: string | null;

  @ApiProperty({ description: 'Parts of an SMS; null on other channels.', type: 'integer', nullable: true, example: 1 })
  segments: number | null;

  @ApiProperty({
    description: 'Characters of an SMS, in UTF-16 units; null on other channels.',
    type: 'integer',
    nullable: true,
    example: 25,
  })
  characters: number | null;

  @ApiProperty({ description: 'The characters that force UCS-2, each once.', type: [String], example: [] })
  ucs2_characters: string[];
}

/** By channel: those that the template has, or the one that was asked for. */
export class ChannelPreviewsView {
  @ApiProperty({ description: 'The SMS.', required: false, type: ChannelPreviewView })
  sms?: ChannelPreviewView;

  @ApiProperty({ description: 'The WhatsApp message.', required: false, type: ChannelPreviewView })
  whatsapp?: ChannelPreviewView;

  @ApiProperty({ description: 'The mail.', required: false, type: ChannelPreviewView })
  email?: ChannelPreviewView;

  @ApiProperty({ description: 'The Telegram message.', required: false, type: ChannelPreviewView })
  telegram?: ChannelPreviewView;

  @ApiProperty({ description: 'The push notification.', required: false, type: ChannelPreviewView })
  push?: ChannelPreviewView;
}

export class TemplatePreviewView {
  @ApiProperty({ description: 'Id of the template.', example: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  template_id: string;

  @ApiProperty({ description: 'The version that was rendered.', type: 'integer', example: 3 })
  version: number;

  @ApiProperty({ description: `What each channel would get, of ${CHANNELS.join(', ')}.`, type: ChannelPreviewsView })
  channels: ChannelPreviewsView;
}
