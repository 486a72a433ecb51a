import { idAt } from '../../kernel/ids';
import type { AlertBook, AlertEnd, NewAlert } from '../../platform/alerts/alert-book';
import { statement, type Database, type Transaction } from '../../platform/database/database';
import { textArray } from '../../platform/database/pg-array';

const HOUR = 3_600_000;

/** Messages overtake each other on their way: what is younger is not looked at. */
const GRACE_MS = 15_000;
/** What a provider has not handed over after this, it has thrown away (Telegram keeps updates for 24 hours). */
const LOST_MS = 24 * HOUR;
/**
 * After so long a silence a provider's count may begin anywhere.
 * Quirk: after a week without updates Telegram chooses the next id at random (core.telegram.org/bots/api#update, 2026-06).
 */
const RESTART_MS = 6 * 24 * HOUR;
const PAGE = 5_000;
/** Of a wider gap it is not asked which of its messages came. */
const WIDEST = 10_000;

const LOCK = statement(
  'numbers.sequences_lock',
  `SELECT position FROM alert_watches WHERE rule = 'sequences' FOR UPDATE SKIP LOCKED`,
);

const READ = statement(
  'numbers.sequences_read',
  `SELECT m.id, m.client_id, m.config_id, m.provider, m.provider_sequence::float8 AS sequence, (extract(epoch FROM m.received_at) * 1000)::float8 AS at,
     p.last_sequence::float8 AS last, (extract(epoch FROM p.last_at) * 1000)::float8 AS last_at
   FROM (SELECT * FROM inbound_messages WHERE provider_sequence IS NOT NULL AND id > $1 AND id < $2
     AND created_at >= to_timestamp($3::float8 / 1000) ORDER BY id LIMIT ${PAGE}) m
   LEFT JOIN provider_sequences p ON p.config_id = m.config_id ORDER BY m.config_id, m.provider_sequence`,
);

const REMEMBER = statement(
  'numbers.sequences_remember',
  `INSERT INTO provider_sequences (config_id, client_id, last_sequence, last_at)
   SELECT c.config_id, c.client_id, c.sequence, to_timestamp(c.at / 1000)
   FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[]) AS c(config_id, client_id, sequence, at)
   ON CONFLICT (config_id) DO UPDATE SET last_sequence = excluded.last_sequence, last_at = excluded.last_at`,
);

const NOTICE = statement(
  'numbers.sequences_notice',
  `INSERT INTO sequence_gaps (config_id, after_sequence, before_sequence, client_id, provider, noticed_at)
   SELECT g.config_id, g.after, g.before, g.client_id, g.provider, to_timestamp($6::float8 / 1000)
   FROM unnest($1::text[], $2::float8[], $3::float8[], $4::text[], $5::text[]) AS g(config_id, after, before, client_id, provider)
   ON CONFLICT DO NOTHING`,
);

// Whatever the provider said counts as come, also what was no message: its event id is the number itself.
const GAPS = statement(
  'numbers.sequences_gaps',
  `SELECT g.config_id, g.client_id, g.provider, g.after_sequence::float8 AS after, g.before_sequence::float8 AS before,
     g.noticed_at < to_timestamp($1::float8 / 1000) AS lost,
     (g.before_sequence - g.after_sequence - 1 - CASE WHEN g.before_sequence - g.after_sequence > ${WIDEST} THEN 0 ELSE (
       SELECT count(*) FROM generate_series(g.after_sequence + 1, g.before_sequence - 1) s
       JOIN provider_event_keys k ON k.config_id = g.config_id AND k.event_id = s::text) END)::float8 AS missing
   FROM sequence_gaps g ORDER BY g.config_id, g.after_sequence`,
);

const CLOSE = statement(
  'numbers.sequences_close',
  `DELETE FROM sequence_gaps g USING unnest($1::text[], $2::float8[]) AS c(config_id, after)
   WHERE g.config_id = c.config_id AND g.after_sequence = c.after`,
);

const OPEN = statement(
  'numbers.sequences_open',
  `SELECT client_id, subject FROM alerts WHERE alert = 'sequence_gap' AND cleared_at IS NULL`,
);

interface SequenceRow {
  id: string;
  client_id: string;
  config_id: string;
  provider: string;
  sequence: number;
  at: number;
  /** Null: it is the first one of the config. */
  last: number | null;
  last_at: number | null;
}

interface GapRow {
  config_id: string;
  client_id: string;
  provider: string;
  after: number;
  before: number;
  lost: boolean;
  missing: number;
}

/**
 * Finds gaps in a provider's own count of what it hands over (of the providers only Telegram counts: `update_id`, by bot), raises one alert an account,
 * and ends it when what was missing has come or never will. One process at a time looks; answers the tenants whose alerts have changed.
 */
export async function watchSequences(database: Database, alerts: AlertBook, now: number): Promise<Set<string>> {
  return database.transaction(async (tx) => {
    const [watch] = await tx.query<{ position: string }>(LOCK);
    if (watch === undefined) return new Set<string>();
    await readOn(tx, watch.position, now);
    return tellGaps(tx, alerts, now);
  });
}

async function readOn(tx: Transaction, position: string, now: number): Promise<void> {
  const until = idAt('inbound', now - GRACE_MS);
  let after = position === '' ? idAt('inbound', now - LOST_MS) : position;
  for (;;) {
    const rows = await tx.query<SequenceRow>(READ, [after, until, now - 2 * LOST_MS]);
    if (rows.length > 0) await note(tx, rows, now);
    if (rows.length < PAGE) break;
    after = rows.reduce((last, { id }) => (id > last ? id : last), after);
  }
  await tx.execute(`UPDATE alert_watches SET position = $1 WHERE rule = 'sequences' AND position < $1`, [until]);
}

async function note(tx: Transaction, rows: readonly SequenceRow[], now: number): Promise<void> {
  const last = new Map<string, Pick<SequenceRow, 'client_id' | 'sequence' | 'at'>>();
  const gaps: Array<Omit<GapRow, 'lost' | 'missing'>> = [];
  for (const row of rows) {
    const { client_id, config_id, provider, sequence, at } = row;
    const known = last.get(config_id) ?? (row.last === null ? undefined : { sequence: row.last, at: row.last_at! });
    const restarts = known !== undefined && at - known.at > RESTART_MS;
    // What comes late fills a gap that is known, or repeats.
    if (known !== undefined && !restarts && sequence <= known.sequence) continue;
    if (known !== undefined && !restarts && sequence > known.sequence + 1)
      gaps.push({ config_id, client_id, provider, after: known.sequence, before: sequence });
    last.set(config_id, { client_id, sequence, at: Math.max(at, restarts ? 0 : (known?.at ?? 0)) });
  }
  const configs = [...last];
  await tx.execute(REMEMBER, [
    textArray(configs.map(([id]) => id)),
    textArray(configs.map(([, one]) => one.client_id)),
    configs.map(([, one]) => one.sequence),
    configs.map(([, one]) => one.at),
  ]);
  if (gaps.length === 0) return;
  await tx.execute(NOTICE, [
    textArray(gaps.map((gap) => gap.config_id)),
    gaps.map((gap) => gap.after),
    gaps.map((gap) => gap.before),
    textArray(gaps.map((gap) => gap.client_id)),
    textArray(gaps.map((gap) => gap.provider)),
    now,
  ]);
}

async function tellGaps(tx: Transaction, alerts: AlertBook, now: number): Promise<Set<string>> {
  const rows = await tx.query<GapRow>(GAPS, [now - LOST_MS]);
  const over = rows.filter(({ missing, lost }) => missing <= 0 || lost);
  if (over.length > 0)
    await tx.execute(CLOSE, [textArray(over.map((gap) => gap.config_id)), over.map((gap) => gap.after)]);
  const missing = rows.filter((row) => !over.includes(row));
  const open = await tx.query<{ client_id: string; subject: string }>(OPEN);
  const known = new Set(open.map(({ subject }) => subject));
  const raised = await alerts.raise(
    tx,
    gapAlerts(
      missing.filter(({ config_id }) => !known.has(config_id)),
      now,
    ),
  );
  const lasting = new Set(missing.map(({ config_id }) => config_id));
  const lost = new Set(over.filter((gap) => gap.missing > 0).map(({ config_id }) => config_id));
  const ended = await alerts.clear(
    tx,
    open
      .filter(({ subject }) => !lasting.has(subject))
      .map(({ client_id: clientId, subject }): AlertEnd => {
        const detail = lost.has(subject)
          ? 'What is missing did not come within 24 hours; it will not come any more.'
          : 'What was missing has come.';
        return { clientId, alert: 'sequence_gap', subject, detail, occurredAt: now };
      }),
  );
  return new Set([...raised, ...ended].map(({ clientId }) => clientId));
}

/** One a config, about its first gap. */
function gapAlerts(gaps: readonly GapRow[], occurredAt: number): NewAlert[] {
  const byConfig = new Map<string, GapRow[]>();
  for (const gap of gaps) byConfig.set(gap.config_id, [...(byConfig.get(gap.config_id) ?? []), gap]);
  return [...byConfig].map(([subject, [first, ...more]]) => {
    const missing = [first!, ...more].reduce((sum, gap) => sum + gap.missing, 0);
    return {
      clientId: first!.client_id,
      alert: 'sequence_gap',
      subject,
      detail: `${missing} of the provider’s own count did not come, the first of them after ${first!.after}. The provider tries again for some time when our address did not answer.`,
      data: {
        config_id: subject,
        gateway: first!.provider,
        after_sequence: first!.after,
        before_sequence: first!.before,
        missing,
      },
      occurredAt,
    };
  });
}
