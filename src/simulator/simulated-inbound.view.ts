import { ApiProperty } from '@nestjs/swagger';
import type { SimulatedHandover } from './callback-sender';
import type { SimulatedInbound } from './simulated-inbound.service';

/** What UniMsg answered to one callback of a stand-in. */
export class SimulatedHandoverView {
  @ApiProperty({
    description: '`POST` or `GET`; `deliver_sm` over the connection of an SMPP account.',
    example: 'POST',
  })
  method: string;

  @ApiProperty({
    description: 'Where UniMsg was called, without the query, which may hold a secret; null over a connection.',
    type: String,
    nullable: true,
    example: 'http://127.0.0.1:3000/webhook/twilio/inbound/cfg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  url: string | null;

  @ApiProperty({ description: 'Whether UniMsg has it, so that the provider need not try again.', example: true })
  accepted: boolean;

  @ApiProperty({
    description: 'HTTP status of the answer; null when there was none.',
    type: 'integer',
    nullable: true,
    example: 200,
  })
  status: number | null;

  @ApiProperty({ description: 'The first KiB of the answer’s body, or why there was none.', example: '<Response/>' })
  body: string;

  static of({ method, url, accepted, status, body }: SimulatedHandover): SimulatedHandoverView {
    return { method, url: url === null ? null : url.replace(/[?#].*$/s, ''), accepted, status, body };
  }
}

/** What came of a simulated text. */
export class SimulatedInboundView {
  @ApiProperty({ description: 'The provider that handed it over.', example: 'twilio' })
  provider: string;

  @ApiProperty({ description: 'The account that it came by.', example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  config_id: string;

  @ApiProperty({ description: 'Whether UniMsg has all of it.', example: true })
  accepted: boolean;

  @ApiProperty({ description: 'What UniMsg answered, in order.', type: SimulatedHandoverView, isArray: true })
  answers: SimulatedHandoverView[];

  static of({ provider, configId, handovers }: SimulatedInbound): SimulatedInboundView {
    return {
      provider: provider.slug,
      config_id: configId,
      accepted: handovers.every(({ accepted }) => accepted),
      answers: handovers.map((one) => SimulatedHandoverView.of(one)),
    };
  }
}
