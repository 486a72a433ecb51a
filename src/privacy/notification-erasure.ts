import type { Transaction } from '../platform/database/database';
import { textArray } from '../platform/database/pg-array';

const NOTIFICATIONS = 20;

/**
 * Recipients of notifications whose messages are not made yet: theirs are not made any more. A page of notifications a call.
 * @returns `last`: where the next page begins; null: there is none
 */
export async function eraseNotifications(
  tx: Transaction,
  clientId: string,
  pattern: string,
  afterId: string,
): Promise<{ notifications: number; last: string | null }> {
  const [table] = await tx.query<{ there: boolean }>("SELECT to_regclass('notifications') IS NOT NULL AS there");
  if (!table!.there) return { notifications: 0, last: null };
  const page = await tx.query<{ id: string }>(
    'SELECT id FROM notifications WHERE client_id = $1 AND id > $2 ORDER BY id LIMIT $3',
    [clientId, afterId, NOTIFICATIONS],
  );
  if (page.length === 0) return { notifications: 0, last: null };
  const ids = textArray(page.map(({ id }) => id));
  const notifications = await tx.execute(
    `UPDATE notification_recipients SET body = NULL, state = CASE state WHEN 'pending' THEN 'canceled' ELSE state END
     WHERE client_id = $1 AND notification_id = ANY($2::text[]) AND body::text ~ $3`,
    [clientId, ids, pattern],
  );
  await tx.execute(
    'UPDATE notification_items SET error = NULL WHERE client_id = $1 AND notification_id = ANY($2::text[]) AND error::text ~ $3',
    [clientId, ids, pattern],
  );
  return { notifications, last: page.length < NOTIFICATIONS ? null : page.at(-1)!.id };
}
