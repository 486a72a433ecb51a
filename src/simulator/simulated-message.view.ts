import { ApiProperty } from '@nestjs/swagger';
import { SIMULATED_BEHAVIOURS, type SimulatedBehaviour, type SimulatedMessage } from '../gateway/contracts/simulator';

/** A message that a stand-in received. */
export class SimulatedMessageView {
  @ApiProperty({ description: 'Provider whose stand-in received it.', example: 'twilio' })
  provider: string;

  @ApiProperty({ description: "The provider's id for it.", example: 'SM0123456789abcdef0123456789abcdef' })
  external_id: string;

  @ApiProperty({ description: 'Recipient, E.164.', example: '+15005550000' })
  to: string;

  @ApiProperty({ description: 'Sender as the provider got it.', example: '+15005550006', type: String, nullable: true })
  from: string | null;

  @ApiProperty({ description: 'Text as the provider got it.', example: 'Your code is 123456' })
  body: string;

  @ApiProperty({
    description: 'The message id that the provider was given as reference.',
    example: 'msg_01jd3k8r5x7q2m9v4b6n8c0d1f',
    type: String,
    nullable: true,
  })
  reference: string | null;

  @ApiProperty({ description: 'What the recipient asked for.', enum: SIMULATED_BEHAVIOURS, example: 'delivered' })
  behaviour: SimulatedBehaviour;

  @ApiProperty({ description: 'Whether the stand-in took it.', example: true })
  accepted: boolean;

  @ApiProperty({ description: 'When it came in.', example: '2026-11-22T08:00:00.000Z', format: 'date-time' })
  received_at: string;

  @ApiProperty({
    description: "The provider's status words that were called back and answered with success.",
    example: ['sent', 'delivered'],
    type: [String],
  })
  callbacks: string[];

  static of(message: SimulatedMessage): SimulatedMessageView {
    return {
      provider: message.provider,
      external_id: message.externalId,
      to: message.to,
      from: message.from,
      body: message.body,
      reference: message.reference,
      behaviour: message.behaviour,
      accepted: message.accepted,
      received_at: new Date(message.receivedAt).toISOString(),
      callbacks: [...message.callbacks],
    };
  }
}
