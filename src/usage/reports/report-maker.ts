import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { Database, isDatabaseUnavailable } from '../../platform/database/database';
import { EventStore } from '../../platform/events/event-store';
import { ReportFigures } from './report-figures';
import { periodFrom } from './report-period';
import { SCHEDULE_COLUMNS, timetableOf, type ScheduleRow } from './report-schedule';
import { deleteExpired, writeReport } from './report-writer';

const EVERY_MS = 5_000;
/** Schedules of one look. */
const LOOK = 100;
/** After a report that could not be made. */
const RETRY_MS = 5 * 60_000;
/** First half of the advisory lock on a schedule; the second is made of its id. */
const LOCK_CLASS = 815_062;

/**
 * Makes the reports that are due, in any number of processes: each period of a schedule once. What was due while no process ran is made when one
 * does, oldest first.
 */
@Injectable()
export class ReportMaker {
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    private readonly figures: ReportFigures,
    private readonly events: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.task = new Periodic('usage reports', EVERY_MS, () => this.run(), logger);
  }

  start(): void {
    this.task.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** Makes all that is due now; answers how many reports that were. */
  async run(): Promise<number> {
    let made = 0;
    for (;;) {
      const due = await this.database.query<{ id: string }>(
        `SELECT id FROM report_schedules
         WHERE next_due_at <= to_timestamp($1 / 1000.0) AND (retry_at IS NULL OR retry_at <= to_timestamp($1 / 1000.0))
         ORDER BY next_due_at LIMIT ${LOOK}`,
        [this.clock.now()],
      );
      const before = made;
      for (const { id } of due) {
        if (this.task.stopping) return made;
        if (await this.tryMake(id)) made += 1;
      }
      // Nothing, or nothing but what another process is at or what failed.
      if (made === before) break;
    }
    await deleteExpired(this.database, this.clock.now());
    return made;
  }

  /** One schedule that cannot be reported keeps no other from it. */
  private async tryMake(scheduleId: string): Promise<boolean> {
    try {
      return await this.make(scheduleId);
    } catch (error) {
      // Nothing is wrong with the schedule; the next round comes.
      if (isDatabaseUnavailable(error)) throw error;
      this.logger.error({ err: error, schedule: scheduleId }, 'a usage report could not be made');
      await this.database.execute('UPDATE report_schedules SET retry_at = to_timestamp($2 / 1000.0) WHERE id = $1', [
        scheduleId,
        this.clock.now() + RETRY_MS,
      ]);
      return false;
    }
  }

  /** Makes the next report of a schedule, if it is due and no other process is at it. */
  private async make(scheduleId: string): Promise<boolean> {
    const owner = await this.database.transaction(async (tx) => {
      // Keeps two processes from counting the same; that neither makes it twice is the key's and the row lock's part. It holds back no reader of
      // events, as a row lock would: it takes no transaction id.
      const [lock] = await tx.query<{ taken: boolean }>('SELECT pg_try_advisory_xact_lock($1, hashtext($2)) AS taken', [
        LOCK_CLASS,
        scheduleId,
      ]);
      if (!lock!.taken) return undefined;
      const now = this.clock.now();
      const [schedule] = await tx.query<ScheduleRow>(`SELECT ${SCHEDULE_COLUMNS} FROM report_schedules WHERE id = $1`, [
        scheduleId,
      ]);
      if (schedule === undefined || schedule.next_due_at > now) return undefined;
      const timetable = timetableOf(schedule);
      const period = periodFrom(timetable, schedule.next_from);
      const document = await this.figures.of(schedule, period, newId('report'), now);
      const written = await writeReport(tx, this.events, {
        schedule,
        document,
        next: periodFrom(timetable, period.to),
      });
      return written ? { clientId: schedule.client_id } : undefined;
    });
    if (owner === undefined) return false;
    if (owner.clientId !== null) this.events.signal.committed([owner.clientId]);
    return true;
  }
}
