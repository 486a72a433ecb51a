import { createHash } from 'node:crypto';
import type { BenchDatabase } from './postgres';
import type { BenchTenant } from './service';

/** Old messages, numbered from 0, as the service would have left them. */
export interface Past {
  tenant: BenchTenant;
  count: number;
  /** `queued`: they wait; `sent`: the provider has them; `delivered`: all is over, and the tables that grow with it are filled too. */
  state: 'queued' | 'sent' | 'delivered';
  /** When the first one was accepted, milliseconds since the epoch; the others follow evenly until `to`. */
  from: number;
  to: number;
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const CHUNK = 250_000;

const TIME_PART = [45, 40, 35, 30, 25, 20, 15, 10, 5, 0]
  .map((shift) => `substr('${ALPHABET}', ((ms >> ${shift}) & 31)::int + 1, 1)`)
  .join(' || ');

const timeOf = (past: Past, n: number) => past.from + Math.floor((n * (past.to - past.from)) / past.count);

/** The id of message `n`: its time as our ids carry it, then the number. */
export function pastMessageId(past: Past, n: number): string {
  let rest = timeOf(past, n);
  let time = '';
  for (let i = 0; i < 10; i++) {
    time = ALPHABET[rest % 32]! + time;
    rest = Math.floor(rest / 32);
  }
  return `msg_${time}${n.toString(16).padStart(16, '0')}`;
}

/** Twilio's id of message `n`: random as Twilio's are. */
export function pastExternalId(n: number): string {
  return `SM${createHash('md5').update(String(n)).digest('hex')}`;
}

/** Writes the rows straight into the tables, which is many times faster than sending them. */
export async function fill(database: BenchDatabase, past: Past): Promise<void> {
  for (let first = 0; first < past.count; first += CHUNK) {
    await fillChunk(database, past, first, Math.min(past.count, first + CHUNK) - 1);
  }
  // Hint bits and statistics as they are in a table that has been there for a while.
  for (const table of ['messages', 'message_queue', 'external_ids', 'idempotency_keys', 'events'])
    await database.query(`VACUUM (ANALYZE) ${table}`);
}

async function fillChunk(database: BenchDatabase, past: Past, first: number, last: number): Promise<void> {
  const { tenant, state } = past;
  const sent = state !== 'queued';
  const attempt = `jsonb_build_array(jsonb_build_object('gateway', 'twilio', 'config_id', $2::text, 'started_at', at, 'finished_at', at,
    'outcome', 'accepted', 'external_id', external_id))`;
  const over = `, keys AS (
      INSERT INTO idempotency_keys (client_id, key, body_hash, message_id, expires_at)
      SELECT $1, 'past-' || md5(n::text), sha256(n::text::bytea), id, now() + interval '20 hours' FROM past
    ), told AS (
      INSERT INTO events (id, created_at, client_id, type, message_id, occurred_at, gateway, data)
      SELECT 'evt_' || substr(id, 5), at, $1, 'message.delivered', id, at, 'twilio',
        jsonb_build_object('message_id', id, 'client_id', $1::text, 'channel', 'sms', 'status', 'delivered', 'to', recipient, 'gateway', 'twilio',
          'external_id', external_id, 'occurred_at', at) FROM past
    )`;
  const mapped = `, mapped AS (
      INSERT INTO external_ids (config_id, external_id, message_id) SELECT $2, external_id, id FROM past
    )`;
  const waiting = `, waiting AS (
      INSERT INTO message_queue (message_id, message_created_at, client_id, lane, priority, due_at)
      SELECT id, at, $1, $2, 1, at FROM past
    )`;
  await database.query(
    `WITH numbers AS (
      SELECT n, $3::bigint + floor((n::numeric * ($4::bigint - $3::bigint)) / $5::bigint)::bigint AS ms
      FROM generate_series($6::bigint, $7::bigint) AS n
    ), past AS MATERIALIZED (
      SELECT n, 'msg_' || ${TIME_PART} || lpad(to_hex(n), 16, '0') AS id, to_timestamp(ms::float8 / 1000.0) AS at,
        'SM' || md5(n::text) AS external_id, '+3933' || lpad((n * 7919 % 100000000)::text, 8, '0') AS recipient FROM numbers
    )${state === 'delivered' ? over : ''}${sent ? mapped : waiting}
    INSERT INTO messages (id, created_at, client_id, channel, status, recipient, sender, content, priority, reference, encoding, segments, expires_at,
      gateway, config_id, external_id, attempts, updated_at)
    SELECT id, at, $1, 'sms', '${state}', recipient, 'UniMsg', '{"text": "Your parcel is here."}', 1, 'past-' || n, 'gsm7', 1,
      greatest(at, now()) + interval '1 day',
      ${sent ? `'twilio', $2, external_id, ${attempt}` : `NULL, NULL, NULL, '[]'`}, at
    FROM past`,
    [tenant.clientId, tenant.configId, past.from, past.to, past.count, first, last],
  );
}
