import { ApiProperty } from '@nestjs/swagger';
import type { DegradedGateway } from './budget-directory';

/** Why a gateway is asked after the others, and how far it is on its way back. */
export class DegradedView {
  @ApiProperty({
    description: 'It fails more often than its error budget allows.',
    enum: ['budget_burning'],
    example: 'budget_burning',
  })
  reason: 'budget_burning';

  @ApiProperty({
    description:
      'How many times faster than the objective allows its error budget burns. It loses its place at 6 over 5 minutes, or 2 over an hour, while that goes on.',
    example: 7.4,
  })
  burn_rate: number;

  @ApiProperty({
    description:
      'Share of messages for which it keeps its place: 0.05 at first, then 0.25, 0.5 and 1, a step each 5 minutes without trouble (longer after a relapse). When all gateways of a route are degraded their order stands.',
    example: 0.05,
  })
  weight: number;

  @ApiProperty({ description: 'Since when.', format: 'date-time', example: '2026-11-22T08:30:00.000Z' })
  since: string;

  static of({ burnRate, weight, since }: DegradedGateway): DegradedView {
    return {
      reason: 'budget_burning',
      burn_rate: Math.round(burnRate * 10) / 10,
      weight,
      since: new Date(since).toISOString(),
    };
  }
}
