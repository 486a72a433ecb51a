import { ApiProperty } from '@nestjs/swagger';

/** A stored callback of a provider. */
export class ProviderEventView {
  @ApiProperty({ description: 'Id of the stored callback.', example: 'pev_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'Provider key.', example: 'twilio' })
  provider: string;

  @ApiProperty({ description: 'Kind of callback.', enum: ['status', 'inbound', 'events'], example: 'status' })
  kind: string;

  @ApiProperty({ description: 'The config that it came for.', example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  config_id: string;

  @ApiProperty({ description: 'Whether its message was found.', example: true })
  matched: boolean;

  @ApiProperty({
    description:
      '`unmapped`: a status word that is not known; `ignored`: says nothing that matters; `unparsable`: could not be read.',
    enum: ['matched', 'unmatched', 'unmapped', 'ignored', 'unparsable'],
    example: 'matched',
  })
  state: string;

  @ApiProperty({
    description: 'The message that it is about.',
    nullable: true,
    type: String,
    example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  message_id: string | null;

  @ApiProperty({
    description: "The provider's id for the message.",
    nullable: true,
    type: String,
    example: 'SM0123456789abcdef0123456789abcdef',
  })
  external_id: string | null;

  @ApiProperty({
    description: 'What UniMsg read out of it.',
    nullable: true,
    type: 'object',
    additionalProperties: true,
    example: { kind: 'status', status: 'delivered' },
  })
  normalized: Record<string, unknown> | null;

  @ApiProperty({
    description: 'The body as it came; of one that signs itself (Mailgun) without the signature.',
    example: 'MessageSid=SM0123&MessageStatus=delivered',
  })
  raw_body: string;

  @ApiProperty({ description: 'When it came.', format: 'date-time', example: '2026-11-22T08:30:02.000Z' })
  received_at: string;
}
