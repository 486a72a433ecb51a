import { ApiProperty } from '@nestjs/swagger';
import { ERASED_KINDS, type ErasureRow } from './erasure.row';

export class ErasureCountsView {
  @ApiProperty({ description: 'Messages to the person.', type: 'integer', example: 12 })
  messages: number;

  @ApiProperty({ description: 'Those of them that waited to be sent, and are canceled.', type: 'integer', example: 1 })
  canceled: number;

  @ApiProperty({ description: 'Events about these messages, and about inbound ones.', type: 'integer', example: 31 })
  events: number;

  @ApiProperty({ description: 'What was to follow undelivered messages.', type: 'integer', example: 0 })
  fallbacks: number;

  @ApiProperty({ description: 'Inbound messages of the person.', type: 'integer', example: 2 })
  inbound: number;

  @ApiProperty({ description: 'Raw callbacks of providers.', type: 'integer', example: 24 })
  provider_events: number;

  @ApiProperty({ description: 'Logs of deliveries to receivers.', type: 'integer', example: 3 })
  deliveries: number;

  @ApiProperty({ description: 'Recipients of notifications that were under way.', type: 'integer', example: 0 })
  notifications: number;

  @ApiProperty({
    description: 'Entries of the suppression list; they stay, with a hash in place of the address.',
    type: 'integer',
    example: 1,
  })
  suppressions: number;

  @ApiProperty({ description: 'Alerts that named the person.', type: 'integer', example: 0 })
  alerts: number;
}

/** What was erased of one person: a receipt. */
export class ErasureView {
  @ApiProperty({ description: 'Id of the receipt.', example: 'ers_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({
    description:
      'What stands in the place of the address in the records that stay: the same for the same person, and nothing that leads back to it.',
    example: 'erased:9f86d081884c7d659a2feaa0c55ad015',
  })
  recipient_hash: string;

  @ApiProperty({
    description: '`running`: it goes on in the background; read it again.',
    enum: ['running', 'completed'],
    example: 'completed',
  })
  status: string;

  @ApiProperty({ description: 'When it was asked for.', format: 'date-time', example: '2026-11-22T08:30:00.000Z' })
  requested_at: string;

  @ApiProperty({
    description: 'When all was erased; null while it runs.',
    nullable: true,
    type: String,
    format: 'date-time',
    example: '2026-11-22T08:30:00.412Z',
  })
  erased_at: string | null;

  @ApiProperty({ description: 'How many records of each kind were erased so far.', type: ErasureCountsView })
  counts: ErasureCountsView;

  static of(row: ErasureRow): ErasureView {
    return {
      id: row.id,
      recipient_hash: row.recipient_hash,
      status: row.state,
      requested_at: row.created_at.toISOString(),
      erased_at: row.erased_at?.toISOString() ?? null,
      counts: Object.fromEntries(
        ERASED_KINDS.map((kind) => [kind, row.counts[kind] ?? 0]),
      ) as unknown as ErasureCountsView,
    };
  }
}
