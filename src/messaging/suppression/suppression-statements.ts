import { newId } from '../../kernel/ids';
import { CHANGES_CHANNEL } from '../../platform/database/change-feed';
import { statement, type Transaction } from '../../platform/database/database';
import { textArray } from '../../platform/database/pg-array';
import type { NewSuppression, SuppressionReason } from './suppression';

/** Topic of the change feed. Its ids: `<client id>/<channel>/<recipient>` for one that was added, `<client id>` for many. */
export const SUPPRESSIONS_CHANGED = 'suppressions';

const INPUT = `SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
  AS i(id, client_id, channel, recipient, reason, source, detail, message_id)`;
const INSERT = `INSERT INTO suppressions AS s (id, client_id, channel, recipient, reason, source, detail, message_id, created_at)
  SELECT id, client_id, channel, recipient, reason, source, detail, message_id, now() FROM input ORDER BY client_id, channel, recipient`;

// Who is on the list stays there as it was entered first.
const FEED = statement(
  'suppressions.feed',
  `WITH input AS (${INPUT}), fresh AS (
     ${INSERT} ON CONFLICT (client_id, channel, recipient) DO NOTHING RETURNING client_id, channel, recipient
   )
   SELECT pg_notify('${CHANGES_CHANNEL}', '${SUPPRESSIONS_CHANGED}:' || client_id || '/' || channel || '/' || recipient) FROM fresh`,
);

/** What a tenant enters replaces what was there. */
export const ENTER = statement(
  'suppressions.enter',
  `WITH input AS (${INPUT})
   ${INSERT} ON CONFLICT (client_id, channel, recipient)
     DO UPDATE SET reason = excluded.reason, source = excluded.source, detail = excluded.detail, message_id = excluded.message_id
   RETURNING s.id, s.channel, s.recipient, s.reason, s.source, s.detail, s.message_id, s.created_at, s.xmax = 0 AS created`,
);

// Only what the person said is the person's to take back.
const RESTORE = statement(
  'suppressions.restore',
  `DELETE FROM suppressions WHERE client_id = $1 AND channel = $2 AND recipient = ANY($3::text[]) AND reason = $4`,
);

export function suppressionParameters(rows: readonly NewSuppression[]): unknown[] {
  return [
    textArray(rows.map(() => newId('suppression'))),
    textArray(rows.map((row) => row.clientId)),
    textArray(rows.map((row) => row.channel)),
    textArray(rows.map((row) => row.recipient)),
    textArray(rows.map((row) => row.reason)),
    textArray(rows.map((row) => row.source)),
    textArray(rows.map((row) => row.detail)),
    textArray(rows.map((row) => row.messageId)),
  ];
}

/** One of several for the same recipient: a statement must not meet a row twice. The last one, as when they were entered one by one. */
export function distinctSuppressions<S extends NewSuppression>(rows: readonly S[]): S[] {
  return [...new Map(rows.map((row) => [`${row.clientId}\n${row.channel}\n${row.recipient}`, row])).values()];
}

/** Enters recipients in the transaction of what says that they want, or can get, nothing more. Those that are there already stay as they are. */
export async function feedSuppressions(tx: Transaction, rows: readonly NewSuppression[]): Promise<void> {
  if (rows.length > 0) await tx.query(FEED, suppressionParameters(distinctSuppressions(rows)));
}

/** Takes a recipient, by all its spellings, off the list who is there by its own word, which is the reason. */
export async function restoreRecipient(
  tx: Transaction,
  clientId: string,
  channel: string,
  recipients: readonly string[],
  reason: SuppressionReason,
): Promise<void> {
  await tx.execute(RESTORE, [clientId, channel, textArray(recipients), reason]);
}
