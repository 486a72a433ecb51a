import { newId } from '../../kernel/ids';
import { statement } from '../../platform/database/database';
import { jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import type { QuotaCounter } from './quota-scope';

/** From this share of a limit on, a warning is told. */
const WARNING_SHARE = 0.8;

/** The counters of one scope, which a message needs a place in all of. */
export type CounterGroup = readonly QuotaCounter[];

/**
 * CTE `locked`: the rows of the counters, as they are once nobody else changes them. They are locked in one order everywhere, and before anything else
 * of the statement is. A counter whose row is missing, or is of a period that is over, is not in it: it has to be opened.
 * @param first number of its first parameter
 */
export function lockedCounters(first: number): string {
  const p = (index: number, type: string) => `$${first + index}::${type}[]`;
  return `locked AS MATERIALIZED (
     SELECT c.no, c.group_no, c.of_group, c.quota, c.hard, c.warn_at, c.warning_id, c.exceeded_id, c.told,
            q.client_id, q.scope, q.period, q.used, q.warned_limit, q.exceeded_limit
     FROM unnest(${p(0, 'int')}, ${p(1, 'int')}, ${p(2, 'int')}, ${p(3, 'text')}, ${p(4, 'text')}, ${p(5, 'text')}, ${p(6, 'float8')}, ${p(7, 'text')},
                 ${p(8, 'int8')}, ${p(9, 'bool')}, ${p(10, 'int8')}, ${p(11, 'text')}, ${p(12, 'text')}, ${p(13, 'jsonb')})
       AS c(no, group_no, of_group, client_id, scope, period, start, time_zone, quota, hard, warn_at, warning_id, exceeded_id, told)
     -- Of a later period: another process's clock is a little ahead.
     JOIN quota_usage q ON q.client_id = c.client_id AND q.scope = c.scope AND q.period = c.period AND q.time_zone = c.time_zone
       AND q.period_start >= to_timestamp(c.start / 1000.0)
     ORDER BY q.client_id, q.scope, q.period FOR NO KEY UPDATE OF q
   )`;
}

/** @param groups their places, counted from 1, are the `group_no` of the statement; the counters' places over all groups are the `no` */
export function counterParameters(groups: readonly CounterGroup[]): unknown[] {
  const all = groups.flatMap((counters, index) => counters.map((counter) => ({ counter, index, of: counters.length })));
  return [
    plainArray(all.map((_, no) => no)),
    plainArray(all.map(({ index }) => index + 1)),
    plainArray(all.map(({ of }) => of)),
    textArray(all.map(({ counter }) => counter.clientId)),
    textArray(all.map(({ counter }) => counter.scope)),
    textArray(all.map(({ counter }) => counter.period)),
    plainArray(all.map(({ counter }) => counter.start)),
    textArray(all.map(({ counter }) => counter.timeZone)),
    plainArray(all.map(({ counter }) => counter.limit)),
    plainArray(all.map(({ counter }) => counter.hard)),
    plainArray(all.map(({ counter }) => Math.ceil(counter.limit * WARNING_SHARE))),
    textArray(all.map(() => newId('event'))),
    textArray(all.map(() => newId('event'))),
    jsonArray(all.map(({ counter }) => toldOf(counter))),
  ];
}

/** What the events of a counter say, but for what is used. */
function toldOf(counter: QuotaCounter): object {
  return {
    client_id: counter.clientId,
    scope: counter.scope === '' ? 'tenant' : 'config',
    config_id: counter.scope === '' ? null : counter.scope,
    period: counter.period,
    mode: counter.hard ? 'hard' : 'soft',
    limit: counter.limit,
    time_zone: counter.timeZone,
    period_start: new Date(counter.start).toISOString(),
    resets_at: new Date(counter.end).toISOString(),
  };
}

/**
 * CTEs that charge: they take `taken`, one row with `n`, a JSON object of how many messages each group of {@link lockedCounters} took. `charged` holds
 * the counters as they are afterwards. The events of the two thresholds are written with the change that crosses them, each once a period and limit.
 */
export const CHARGE_CTES = `
   charged AS MATERIALIZED (
     SELECT l.*, l.used + t.n AS total, l.used + t.n >= l.warn_at AND l.quota > 0 AND l.warned_limit IS DISTINCT FROM l.quota AS warns,
            l.used + t.n >= l.quota AND l.exceeded_limit IS DISTINCT FROM l.quota AS exceeds
     FROM locked l CROSS JOIN LATERAL (SELECT coalesce(((SELECT n FROM taken) ->> l.group_no::text)::int8, 0) AS n) t
   ), written AS (
     UPDATE quota_usage q SET used = q.used + (c.total - c.used),
       warned_limit = CASE WHEN c.warns THEN c.quota ELSE q.warned_limit END,
       exceeded_limit = CASE WHEN c.exceeds THEN c.quota ELSE q.exceeded_limit END
     FROM charged c
     WHERE q.client_id = c.client_id AND q.scope = c.scope AND q.period = c.period AND (c.total > c.used OR c.warns OR c.exceeds)
   ), told AS (
     INSERT INTO events (id, created_at, client_id, type, occurred_at, data)
     SELECT e.id, now(), c.client_id, e.type, now(), c.told || jsonb_build_object('used', c.total)
     FROM charged c CROSS JOIN LATERAL (VALUES
       (c.warning_id, 'usage.quota_warning', c.warns), (c.exceeded_id, 'usage.quota_exceeded', c.exceeds)) AS e(id, type, now_told)
     WHERE e.now_told
   )`;

/** A counter after a statement that charged. */
export interface ChargedRow {
  no: number;
  used: string;
  told: boolean;
}

/**
 * Opens counters: what was accepted since their period began counts. A row that is of this period already, or of a later one, stays.
 *
 * What a config counts is what it was given: messages that it took, and those that wait for it.
 */
export const OPEN = statement(
  'quota_usage.open',
  `INSERT INTO quota_usage AS q (client_id, scope, period, period_start, time_zone, used)
   SELECT c.client_id, c.scope, c.period, to_timestamp(c.start / 1000.0), c.time_zone,
          CASE WHEN c.scope = '' THEN (
            SELECT count(*) FROM messages m
            WHERE m.client_id = c.client_id AND m.created_at >= to_timestamp(c.start / 1000.0) AND m.id NOT LIKE 'msg\\_test\\_%'
          ) ELSE (
            SELECT count(*) FROM messages m
            WHERE m.client_id = c.client_id AND m.created_at >= to_timestamp(c.start / 1000.0) AND m.config_id = c.scope AND m.id NOT LIKE 'msg\\_test\\_%'
          ) + (
            SELECT count(*) FROM message_queue w
            WHERE w.client_id = c.client_id AND w.lane = c.scope AND w.message_created_at >= to_timestamp(c.start / 1000.0)
          ) END
   FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[]) AS c(client_id, scope, period, start, time_zone)
   ORDER BY c.client_id, c.scope, c.period
   ON CONFLICT (client_id, scope, period) DO UPDATE
     SET period_start = excluded.period_start, time_zone = excluded.time_zone, used = excluded.used, warned_limit = NULL, exceeded_limit = NULL
     WHERE q.time_zone <> excluded.time_zone OR q.period_start < excluded.period_start`,
);

export function openParameters(counters: readonly QuotaCounter[]): unknown[] {
  return [
    textArray(counters.map(({ clientId }) => clientId)),
    textArray(counters.map(({ scope }) => scope)),
    textArray(counters.map(({ period }) => period)),
    plainArray(counters.map(({ start }) => start)),
    textArray(counters.map(({ timeZone }) => timeZone)),
  ];
}

export const READ = statement(
  'quota_usage.read',
  `SELECT c.no, q.used FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[])
     WITH ORDINALITY AS c(client_id, scope, period, start, time_zone, no)
   JOIN quota_usage q ON q.client_id = c.client_id AND q.scope = c.scope AND q.period = c.period AND q.time_zone = c.time_zone
     AND q.period_start >= to_timestamp(c.start / 1000.0)`,
);

/**
 * A place for one message that goes on to another config. One that was tried there before has its place already.
 */
export const ENTER = statement(
  'quota_usage.enter',
  `WITH ${lockedCounters(4)}, known AS MATERIALIZED (
     SELECT 1 FROM messages m
     WHERE m.id = $1 AND m.created_at = to_timestamp($2::float8 / 1000.0) AND m.attempts @> jsonb_build_array(jsonb_build_object('config_id', $3::text))
   ), verdict AS MATERIALIZED (
     SELECT EXISTS (SELECT 1 FROM known) AS known, count(*) = min(of_group) AND bool_and(NOT hard OR used < quota) AS room FROM locked
   ), taken AS MATERIALIZED (
     SELECT CASE WHEN room AND NOT known THEN jsonb_build_object(1, 1) ELSE '{}' END AS n FROM verdict
   ), ${CHARGE_CTES}
   SELECT c.no, c.total AS used, c.warns OR c.exceeds AS told, v.known OR coalesce(v.room, false) AS entered
   FROM verdict v LEFT JOIN charged c ON true`,
);
