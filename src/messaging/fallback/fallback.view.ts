import { ApiProperty } from '@nestjs/swagger';
import { CHANNELS } from '../../kernel/channel';

export class FallbackErrorView {
  @ApiProperty({ description: 'Stable machine word.', example: 'no_gateway_available' })
  code: string;

  @ApiProperty({ description: 'The same for people.', example: 'No gateway can take this message.' })
  detail: string;
}

/** What is sent when a message is not delivered. */
export class FallbackView {
  @ApiProperty({ description: 'The channel that it goes by.', enum: CHANNELS, example: 'email' })
  channel: string;

  @ApiProperty({ description: 'The recipient.', example: 'ada@example.com' })
  to: string;

  @ApiProperty({
    description: 'So long after the message, or the fallback before this one, without a delivery.',
    type: 'integer',
    example: 300,
  })
  after_seconds: number;

  @ApiProperty({
    description:
      '`waiting`: not decided; `sent`: it went out, see `message_id`; `skipped`: not needed, or the message was canceled; `failed`: it could not be accepted.',
    enum: ['waiting', 'sent', 'skipped', 'failed'],
    example: 'sent',
  })
  status: string;

  @ApiProperty({
    description:
      'When it goes out unless something is delivered before; null while it waits for another one, and once it is decided.',
    format: 'date-time',
    nullable: true,
    type: String,
    example: null,
  })
  due_at: string | null;

  @ApiProperty({
    description: 'The message that it became.',
    nullable: true,
    type: String,
    example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s9',
  })
  message_id: string | null;

  @ApiProperty({
    description: 'When it was accepted as a message.',
    format: 'date-time',
    nullable: true,
    type: String,
    example: '2026-11-22T08:35:00.000Z',
  })
  sent_at: string | null;

  @ApiProperty({ description: 'Why it failed.', type: FallbackErrorView, nullable: true, example: null })
  error: FallbackErrorView | null;
}
