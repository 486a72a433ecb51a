import { Problem } from '../kernel/problem';
import type { Transaction } from '../platform/database/database';

/**
 * Changes to one tenant and its keys take turns, so that two deletions of keys cannot both leave "the other one".
 * @throws Problem not_found
 */
export async function lockTenant(tx: Transaction, clientId: string): Promise<void> {
  const rows = await tx.query('SELECT 1 FROM tenants WHERE client_id = $1 FOR UPDATE', [clientId]);
  if (rows.length === 0) throw Problem.notFound('tenant');
}
