import type { Transaction } from '../../platform/database/database';

/** Nothing more follows these messages: they were delivered, or are not wanted any more. */
export async function skipFallbacks(tx: Transaction, clientId: string, messageIds: readonly string[]): Promise<void> {
  await tx.execute(
    `UPDATE message_fallbacks SET state = 'skipped', body = NULL, lease_until = NULL
     WHERE client_id = $1 AND message_id = ANY($2) AND state IN ('waiting', 'held')`,
    [clientId, messageIds],
  );
}
