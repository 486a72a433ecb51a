import type { Transaction } from '../platform/database/database';
import { textArray } from '../platform/database/pg-array';

const NOTIFICATIONS = 20;

/** What a page of notifications came to. */
export interface ErasedNotifications {
  /** Recipients that were taken out. */
  notifications: number;
  /** Some are in a worker's hand at this moment: the page is to be asked for again. */
  waits: boolean;
  /** Where the next page begins; null: there is none. */
  last: string | null;
}

/**
 * Recipients of notifications whose messages are not made yet: theirs are not made any more. Who is called by the address keeps what stands in its
 * place for a name. A page of notifications a call.
 * @param hash what stands in the place of the address
 */
export async function eraseNotifications(
  tx: Transaction,
  { clientId, hash }: { clientId: string; hash: string },
  pattern: string,
  afterId: string,
): Promise<ErasedNotifications> {
  const page = await tx.query<{ id: string }>(
    'SELECT id FROM notifications WHERE client_id = $1 AND id > $2 ORDER BY id LIMIT $3',
    [clientId, afterId, NOTIFICATIONS],
  );
  if (page.length === 0) return { notifications: 0, waits: false, last: null };
  const ids = textArray(page.map(({ id }) => id));
  const notifications = await tx.execute(
    `UPDATE notification_recipients SET body = NULL, state = CASE state WHEN 'pending' THEN 'canceled' ELSE state END
     WHERE client_id = $1 AND notification_id = ANY($2::text[]) AND body::text ~ $3 AND (lease_until IS NULL OR lease_until < now())`,
    [clientId, ids, pattern],
  );
  await tx.execute(
    `UPDATE notification_recipients SET recipient_id = regexp_replace(recipient_id, $5, $4, 'g')
     WHERE client_id = $1 AND notification_id = ANY($2::text[]) AND recipient_id ~ $3 AND (lease_until IS NULL OR lease_until < now())`,
    // A number goes with its plus.
    [clientId, ids, pattern, hash, pattern.startsWith('(?i)') ? pattern : `\\+?${pattern}`],
  );
  await tx.execute(
    'UPDATE notification_items SET error = NULL WHERE client_id = $1 AND notification_id = ANY($2::text[]) AND error::text ~ $3',
    [clientId, ids, pattern],
  );
  const [left] = await tx.query<{ waits: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM notification_recipients
       WHERE client_id = $1 AND notification_id = ANY($2::text[]) AND (body::text ~ $3 OR recipient_id ~ $3)) AS waits`,
    [clientId, ids, pattern],
  );
  return { notifications, waits: left!.waits, last: page.length < NOTIFICATIONS ? null : page.at(-1)!.id };
}
