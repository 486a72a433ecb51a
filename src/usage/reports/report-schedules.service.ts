import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { Database, type Transaction } from '../../platform/database/database';
import { lockTenant } from '../../tenancy/tenant-lock';
import { firstDueAfter, periodFrom } from './report-period';
import {
  asOwner,
  OWNED,
  SCHEDULE_COLUMNS,
  timetableOf,
  type ScheduleRow,
  type ScheduleSettings,
} from './report-schedule';

/** Most schedules of a tenant, and of the operator. */
export const MOST_SCHEDULES = 20;
/** The operator's schedules are counted by one at a time. */
const OPERATOR_LOCK = 815_061;

/** Who wants which reports. An owner is a tenant, or null for the operator. */
@Injectable()
export class ReportSchedulesService {
  constructor(
    private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Its first report is the one that is due next. @throws Problem conflict when there are too many */
  async create(owner: string | null, settings: ScheduleSettings): Promise<ScheduleRow> {
    const now = this.clock.now();
    const first = firstDueAfter(settings, now);
    return asOwner(this.database, owner, async (tx) => {
      if (owner === null) await tx.query('SELECT pg_advisory_xact_lock($1)', [OPERATOR_LOCK]);
      else await lockTenant(tx, owner);
      const [count] = await tx.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM report_schedules WHERE ${OWNED}`,
        [owner],
      );
      if (count!.count >= MOST_SCHEDULES)
        throw new Problem('conflict', `There are at most ${MOST_SCHEDULES} report schedules.`);
      const [row] = await tx.query<ScheduleRow>(
        `INSERT INTO report_schedules (id, client_id, period, time_zone, at, format, deliver, next_from, next_due_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, to_timestamp($8 / 1000.0), to_timestamp($9 / 1000.0), to_timestamp($10 / 1000.0), to_timestamp($10 / 1000.0))
         RETURNING ${SCHEDULE_COLUMNS}`,
        [
          newId('reportSchedule'),
          owner,
          settings.period,
          settings.timeZone,
          settings.at,
          settings.format,
          JSON.stringify(settings.deliver),
          first.from,
          first.due,
          now,
        ],
      );
      return row!;
    });
  }

  /** Newest first. `before`: the last id of the page before. */
  list(owner: string | null, before: string | undefined, limit: number): Promise<ScheduleRow[]> {
    return asOwner(this.database, owner, (tx) =>
      tx.query<ScheduleRow>(
        `SELECT ${SCHEDULE_COLUMNS} FROM report_schedules WHERE ${OWNED} AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
        [owner, before ?? null, limit],
      ),
    );
  }

  /** @throws Problem not_found */
  get(owner: string | null, id: string): Promise<ScheduleRow> {
    return asOwner(this.database, owner, (tx) => find(tx, owner, id, ''));
  }

  /** The periods stay: only when, how and where to they are reported changes. @throws Problem not_found */
  update(
    owner: string | null,
    id: string,
    changes: Partial<Pick<ScheduleSettings, 'at' | 'deliver' | 'format'>>,
  ): Promise<ScheduleRow> {
    return asOwner(this.database, owner, async (tx) => {
      const old = await find(tx, owner, id, 'FOR UPDATE');
      const at = changes.at ?? old.at;
      const { due } = periodFrom({ ...timetableOf(old), at }, old.next_from);
      const [row] = await tx.query<ScheduleRow>(
        `UPDATE report_schedules SET at = $3, deliver = $4, format = $5, next_due_at = to_timestamp($6 / 1000.0), updated_at = to_timestamp($7 / 1000.0)
         WHERE ${OWNED} AND id = $2 RETURNING ${SCHEDULE_COLUMNS}`,
        [
          owner,
          id,
          at,
          JSON.stringify(changes.deliver ?? old.deliver),
          changes.format ?? old.format,
          due,
          this.clock.now(),
        ],
      );
      return row!;
    });
  }

  /** Its reports stay. @throws Problem not_found */
  async delete(owner: string | null, id: string): Promise<void> {
    const gone = await asOwner(this.database, owner, (tx) =>
      tx.execute(`DELETE FROM report_schedules WHERE ${OWNED} AND id = $2`, [owner, id]),
    );
    if (gone === 0) throw Problem.notFound('report schedule');
  }
}

async function find(tx: Transaction, owner: string | null, id: string, lock: '' | 'FOR UPDATE'): Promise<ScheduleRow> {
  const [row] = await tx.query<ScheduleRow>(
    `SELECT ${SCHEDULE_COLUMNS} FROM report_schedules WHERE ${OWNED} AND id = $2 ${lock}`,
    [owner, id],
  );
  if (row === undefined) throw Problem.notFound('report schedule');
  return row;
}
