import { ApiProperty } from '@nestjs/swagger';
import { CHANNELS } from '../../kernel/channel';
import { SUPPRESSION_REASONS, SUPPRESSION_SOURCES } from './suppression';

const MESSAGE_ID = 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8';

/** A recipient whom nothing more is sent to by a channel. */
export class SuppressionView {
  @ApiProperty({ description: 'Id of the entry.', example: 'sup_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'The channel that it holds for.', enum: CHANNELS, example: 'sms' })
  channel: string;

  @ApiProperty({
    description: 'The recipient: a number in E.164, an address in lower case, a chat id, a device token.',
    example: '+393331234567',
  })
  recipient: string;

  @ApiProperty({
    description:
      '`stop`: the person wrote so, or the provider says that it did; `unregistered`: the device token is dead; `manual`: you entered it.',
    enum: SUPPRESSION_REASONS,
    example: 'stop',
  })
  reason: string;

  @ApiProperty({ description: 'Where it comes from.', enum: SUPPRESSION_SOURCES, example: 'inbound' })
  source: string;

  @ApiProperty({
    description: 'The word that the person wrote, the provider’s code, or your note.',
    nullable: true,
    type: String,
    example: 'STOP',
  })
  detail: string | null;

  @ApiProperty({ description: 'The message that led to it.', nullable: true, type: String, example: MESSAGE_ID })
  message_id: string | null;

  @ApiProperty({ description: 'Since when.', format: 'date-time', example: '2026-11-22T08:30:02.000Z' })
  created_at: string;
}

export class SuppressionRefusalView {
  @ApiProperty({
    description: 'Which one: its place in the list, or its line in the CSV, from 1.',
    type: 'integer',
    example: 3,
  })
  line: number;

  @ApiProperty({ description: 'The field that is wrong.', example: 'recipient' })
  field: string;

  @ApiProperty({ description: 'Stable machine word.', example: 'invalid_recipient' })
  code: string;

  @ApiProperty({ description: 'The same for people.', example: 'recipient is no sms recipient' })
  message: string;
}

/** What came of entering many. */
export class SuppressionImportView {
  @ApiProperty({ description: 'Recipients that were not on the list.', type: 'integer', example: 2 })
  created: number;

  @ApiProperty({ description: 'Recipients that were, and have a new reason now.', type: 'integer', example: 0 })
  updated: number;

  @ApiProperty({
    description: 'Lines that were refused; the others are entered all the same.',
    type: 'integer',
    example: 0,
  })
  rejected: number;

  @ApiProperty({ description: 'Why, for the first 100 of them.', type: [SuppressionRefusalView], example: [] })
  errors: SuppressionRefusalView[];
}

export class DeletedSuppressionView {
  @ApiProperty({ description: 'Id of the entry.', example: 'sup_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'Always true.', example: true })
  deleted: boolean;
}
