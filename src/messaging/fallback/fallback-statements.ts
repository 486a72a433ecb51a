import type { Transaction } from '../../platform/database/database';

/** Nothing more follows a message: it was delivered, or is not wanted any more. */
export async function skipFallbacks(tx: Transaction, clientId: string, messageId: string): Promise<void> {
  await tx.execute(
    `UPDATE message_fallbacks SET state = 'skipped', body = NULL, lease_until = NULL
     WHERE client_id = $1 AND message_id = $2 AND state IN ('waiting', 'held')`,
    [clientId, messageId],
  );
}
