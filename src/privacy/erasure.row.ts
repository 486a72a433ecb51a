import type { SealedColumn } from '../platform/secrets/resealer';

/** The order in which a person is erased: first what would become further messages. */
export const ERASURE_STEPS = ['planned', 'messages', 'mails', 'inbound', 'callbacks', 'deliveries', 'others'] as const;
export type ErasureStep = (typeof ERASURE_STEPS)[number];

/** What of a person was erased, by kind of record. */
export const ERASED_KINDS = [
  'messages',
  'canceled',
  'events',
  'fallbacks',
  'inbound',
  'provider_events',
  'deliveries',
  'notifications',
  'suppressions',
  'alerts',
] as const;
export type ErasedKind = (typeof ERASED_KINDS)[number];
export type ErasedCounts = Partial<Record<ErasedKind, number>>;

/** As `erasures` holds it. */
export interface ErasureRow {
  id: string;
  client_id: string;
  recipient_hash: string;
  /** Sealed. */
  recipient: string | null;
  state: 'running' | 'completed';
  step: ErasureStep;
  cursor: string[];
  counts: ErasedCounts;
  created_at: Date;
  erased_at: Date | null;
}

export const ERASURE_COLUMNS =
  'id, client_id, recipient_hash, recipient, state, step, cursor, counts, created_at, erased_at';

/** Where a sealed recipient belongs, for `SecretBox`. */
export function recipientContext(id: string): string {
  return `erasures.recipient:${id}`;
}

/** What privacy seals. */
export const PRIVACY_SEALED: readonly SealedColumn[] = [
  { table: 'erasures', key: 'id', column: 'recipient', context: ({ key }) => recipientContext(key) },
];
