import { ApiProperty, OmitType } from '@nestjs/swagger';
import { MessageView } from '../record/message.view';

const time = (description: string) =>
  ApiProperty({ description, format: 'date-time', nullable: true, type: String, example: '2026-11-22T08:30:02.000Z' });

/** What the records of all kinds have in common: the message, its content spread over fields of their own. */
export class NamedMessageView extends OmitType(MessageView, [
  'content',
  'from',
  'to',
  'gateway',
  'cost',
  'segments',
  'encoding',
  'engagement',
] as const) {
  @ApiProperty({ description: 'The provider that took it, or is to take it.', example: 'twilio' })
  provider: string;

  @ApiProperty({
    description: 'What the provider charged, a decimal; null until it said so.',
    nullable: true,
    type: String,
    example: '0.0075',
  })
  cost_amount: string | null;

  @ApiProperty({ description: 'ISO 4217.', nullable: true, type: String, example: 'USD' })
  cost_currency: string | null;

  @time('When the provider took it.')
  sent_at: string | null;

  @time('When it was delivered.')
  delivered_at: string | null;
}
