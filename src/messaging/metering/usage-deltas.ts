import { statement, type Transaction } from '../../platform/database/database';

/** A change to the figures, for what few messages do. What is left out stays as it is. */
export interface UsageDelta {
  client_id: string;
  /** When the message was accepted, milliseconds since the epoch. */
  at: number;
  config_id: string;
  channel: string;
  /** With `messages`: how many messages of this status more, or fewer. */
  status?: string;
  messages?: number;
  segments?: number;
  opens?: number;
  unique_opens?: number;
  machine_opens?: number;
  clicks?: number;
  unique_clicks?: number;
  machine_clicks?: number;
  bounces?: number;
  complaints?: number;
  unsubscribes?: number;
  /** Messages that came in; `at` is when. */
  inbound?: number;
}

const COUNTS =
  'messages segments opens unique_opens machine_opens clicks unique_clicks machine_clicks bounces complaints unsubscribes inbound'.split(
    ' ',
  );

const INSERT = statement(
  'usage_deltas.insert',
  `INSERT INTO usage_deltas (client_id, bucket, config_id, channel, status, ${COUNTS.join(', ')})
   SELECT client_id, date_bin('15 minutes', to_timestamp(at / 1000.0), 'epoch'), config_id, channel, status,
          ${COUNTS.map((column) => `sum(coalesce(${column}, 0))`).join(', ')}
   FROM jsonb_to_recordset($1::jsonb) AS d(client_id text, at float8, config_id text, channel text, status text,
          ${COUNTS.map((column) => `${column} int`).join(', ')})
   GROUP BY 1, 2, 3, 4, 5`,
);

/** Notes changes to the figures in the transaction that makes them true. */
export async function insertUsageDeltas(tx: Transaction, deltas: readonly UsageDelta[]): Promise<void> {
  if (deltas.length > 0) await tx.execute(INSERT, [JSON.stringify(deltas)]);
}
