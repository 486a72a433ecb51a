import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsNotEmpty, IsOptional, IsString, MaxLength } from 'class-validator';
import { CHANNELS, type Channel } from '../../kernel/channel';
import { DegradedView } from '../budget/degraded.view';
import type { CircuitState } from '../limits/circuit-breakers';
import type { RoutesByChannel } from './routes';

const CONFIG_ID = 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8';

/** Which gateways a message would take. */
export class PreviewDto {
  @ApiProperty({ description: 'The channel of the message.', enum: CHANNELS, enumName: 'Channel', example: 'sms' })
  @IsIn(CHANNELS)
  channel: Channel;

  @ApiProperty({
    description: 'The recipient in the form of the channel; a number in E.164.',
    maxLength: 512,
    example: '+393331234567',
  })
  @IsString()
  @IsNotEmpty()
  @MaxLength(512)
  to: string;

  @ApiPropertyOptional({
    description: 'The provider or config that a send would force.',
    maxLength: 64,
    example: 'twilio',
  })
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @MaxLength(64)
  provider?: string;
}

export class CandidateView {
  @ApiProperty({ description: 'Key of the provider.', example: 'twilio' })
  gateway: string;

  @ApiProperty({ description: 'The config that would send.', example: CONFIG_ID })
  config_id: string;

  @ApiProperty({
    description:
      'The rule that chose it: `provider` (the request forces it), `routing[<prefix>]`, `primary` or `fallback[<index>]`.',
    example: 'routing[+39]',
  })
  reason: string;

  @ApiPropertyOptional({
    description: 'Why it is asked after others that the routes name later; left out when it has its full weight.',
    type: DegradedView,
  })
  degraded?: DegradedView;
}

export class SkippedView {
  @ApiProperty({ description: 'Key of the provider, or the name that the route uses.', example: 'vonage' })
  gateway: string;

  @ApiPropertyOptional({ description: 'The config, when there is one.', example: CONFIG_ID })
  config_id?: string;

  @ApiProperty({
    description:
      '`unknown_provider`, `unknown_config`, `wrong_channel`, `no_config`, `config_draft`, `config_paused`, `config_error`, `config_decommissioned`, `country_not_supported`, `circuit_open` or `quota_exceeded`.',
    example: 'config_paused',
  })
  reason: string;

  @ApiProperty({ description: 'It may be usable in a while without a change of yours.', example: false })
  temporary: boolean;
}

export class PreviewRefusalView {
  @ApiProperty({ description: 'The code that the send would answer.', example: 'quota_exceeded' })
  code: string;

  @ApiProperty({ description: 'The same for people.', example: 'The daily quota of the config cfg_… is used up.' })
  detail: string;
}

/** The route of a message, with what is passed over. */
export class PreviewView {
  @ApiProperty({ description: 'Gateways in the order in which they would be asked.', type: [CandidateView] })
  candidates: CandidateView[];

  @ApiProperty({ description: 'Gateways that are passed over, and why.', type: [SkippedView] })
  skipped: SkippedView[];

  @ApiPropertyOptional({
    description:
      'Why a send would be refused all the same: a quota is used up, yours or that of the account that it would take. Left out when none is.',
    type: PreviewRefusalView,
  })
  refusal?: PreviewRefusalView;
}

/** How one config is doing. */
export class GatewayHealthView {
  @ApiProperty({ description: 'Key of the provider.', example: 'twilio' })
  gateway: string;

  @ApiProperty({ description: 'The config.', example: CONFIG_ID })
  config_id: string;

  @ApiProperty({ description: 'The provider answers, and knows the account.', example: true })
  healthy: boolean;

  @ApiProperty({
    description: 'Whether messages are sent to it: `open` after many failures, `half_open` while one is tried.',
    enum: ['closed', 'open', 'half_open'],
    example: 'closed',
  })
  circuit: CircuitState;

  @ApiProperty({
    description: 'When the provider was asked.',
    format: 'date-time',
    example: '2026-01-15T09:30:00.000Z',
  })
  checked_at: string;

  @ApiProperty({ description: 'How long it took to answer, in milliseconds.', type: 'integer', example: 84 })
  latency_ms: number;

  @ApiPropertyOptional({
    description: 'What is wrong, when it is not healthy.',
    example: 'Twilio refuses the credentials',
  })
  error?: string;

  @ApiPropertyOptional({
    description: 'Messages fail by it more often than its error budget allows; left out when they do not.',
    type: DegradedView,
  })
  degraded?: DegradedView;
}

/** The tenant's routing document. */
export class GatewaysView {
  @ApiProperty({ description: 'Your client id.', example: 'demo_4k2jx7c0q9w1e5r8' })
  client_id: string;

  @ApiProperty({
    description: 'Routes by channel, as they were given.',
    type: 'object',
    additionalProperties: true,
    example: { sms: { primary: 'twilio', fallback: ['vonage'], routing: { '+39': 'vonage', '*': 'twilio' } } },
  })
  gateways: RoutesByChannel;
}
