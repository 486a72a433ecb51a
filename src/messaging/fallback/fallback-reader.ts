import type { Transaction } from '../../platform/database/database';
import type { FallbackView } from './fallback.view';

interface Row {
  channel: string;
  recipient: string;
  after_seconds: number;
  state: 'held' | 'waiting' | 'sent' | 'skipped' | 'failed';
  due_at: Date | null;
  sent_message_id: string | null;
  sent_at: Date | null;
  error: { code: string; detail: string } | null;
}

/** The fallbacks of a message, in order, and the message that it is itself a fallback of. */
export async function readFallbacks(
  tx: Transaction,
  clientId: string,
  messageId: string,
): Promise<{ on_undelivered: FallbackView[]; fallback_of: string | null }> {
  const rows = await tx.query<Row & { of: string | null }>(
    `SELECT channel, recipient, after_seconds, state, due_at, sent_message_id, sent_at, error,
            CASE WHEN sent_message_id = $2 THEN message_id END AS of
     FROM message_fallbacks WHERE client_id = $1 AND (message_id = $2 OR sent_message_id = $2) ORDER BY message_id, position`,
    [clientId, messageId],
  );
  return {
    on_undelivered: rows.filter((row) => row.of === null).map(viewOf),
    fallback_of: rows.find((row) => row.of !== null)?.of ?? null,
  };
}

function viewOf(row: Row): FallbackView {
  return {
    channel: row.channel,
    to: row.recipient,
    after_seconds: row.after_seconds,
    status: row.state === 'held' ? 'waiting' : row.state,
    due_at: row.state === 'waiting' ? (row.due_at?.toISOString() ?? null) : null,
    message_id: row.sent_message_id,
    sent_at: row.sent_at?.toISOString() ?? null,
    error: row.error,
  };
}
