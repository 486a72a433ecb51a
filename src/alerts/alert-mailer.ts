import type { PublicUrl } from '../config/public-url';
import type { Clock } from '../kernel/clock';
import type { Logger } from '../kernel/logger';
import { Periodic } from '../kernel/periodic';
import { Problem } from '../kernel/problem';
import { statement, type Database } from '../platform/database/database';
import { retryDelay, type RetryLadder } from '../platform/delivery/retry-ladder';
import { OPERATOR } from '../platform/mailer/mail';
import type { Mailer } from '../platform/mailer/mailer';
import type { TenantDirectory } from '../tenancy/tenant-directory';
import { alertLetter, type AlertNews } from './alert-letter';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const EVERY_MS = 2 * SECOND;
/** For the mails of one look; what is not begun a minute before its end is left for another. */
const LEASE_MS = 15 * MINUTE;
const MARGIN_MS = MINUTE;
const BATCH = 100;
/** More news than this for one address at once come as one mail. */
const MOST_SINGLE = 3;
/** After the last wait it is given up: about a day and a half. The alert itself stays. */
const LADDER: RetryLadder = {
  delaysMs: [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 8 * HOUR, 12 * HOUR],
  jitter: 0.1,
};

interface Row {
  alert_id: string;
  step: 'raised' | 'cleared';
  audience: 'tenant' | 'operator';
  client_id: string;
  tries: number;
  told: string[];
  alert: AlertNews['alert'];
  subject: string;
  severity: string;
  detail: string;
  cleared_detail: string | null;
  raised_at: Date;
  cleared_at: Date | null;
}

const CLAIM = statement(
  'alert_mails.claim',
  // The end of an alert is told when its beginning has been.
  `WITH due AS (
     SELECT m.alert_id, m.step, m.audience FROM alert_mails m
     WHERE m.due_at <= to_timestamp($1::float8 / 1000) AND (m.step = 'raised' OR NOT EXISTS (
       SELECT FROM alert_mails r WHERE r.alert_id = m.alert_id AND r.audience = m.audience AND r.step = 'raised'))
     ORDER BY m.due_at, m.alert_id LIMIT ${BATCH} FOR UPDATE OF m SKIP LOCKED
   )
   UPDATE alert_mails m SET due_at = to_timestamp($2::float8 / 1000), tries = m.tries + 1
   FROM due d, alerts a
   WHERE m.alert_id = d.alert_id AND m.step = d.step AND m.audience = d.audience AND a.id = m.alert_id
   RETURNING m.alert_id, m.step, m.audience, m.client_id, m.tries, m.told, a.alert, a.subject, a.severity, a.detail, a.cleared_detail,
     a.raised_at, a.cleared_at`,
);

const DONE = statement(
  'alert_mails.done',
  'DELETE FROM alert_mails WHERE alert_id = $1 AND step = $2 AND audience = $3 AND tries = $4',
);

const AGAIN = statement(
  'alert_mails.again',
  `UPDATE alert_mails SET due_at = to_timestamp($5::float8 / 1000), last_error = $6
   WHERE alert_id = $1 AND step = $2 AND audience = $3 AND tries = $4`,
);

const TOLD = statement(
  'alert_mails.told',
  'UPDATE alert_mails SET told = $5 WHERE alert_id = $1 AND step = $2 AND audience = $3 AND tries = $4',
);

/** There was no time for it: not a failure. */
const NOT_BEGUN = 'not_begun';

export interface AlertMailerDeps {
  database: Database;
  mailer: Mailer;
  tenants: Pick<TenantDirectory, 'get'>;
  /** Get the alerts of all tenants. */
  operatorEmails: readonly string[];
  publicUrl: Pick<PublicUrl, 'get'>;
  clock: Clock;
  logger: Logger;
}

/**
 * Mails each step of each alert once to each address. Any number of processes may run it: a mail is leased before it is sent. One that dies between
 * the server's answer and the note of it sends again after the lease, with the same Message-ID.
 */
export class AlertMailer {
  private readonly task: Periodic;

  constructor(private readonly deps: AlertMailerDeps) {
    this.task = new Periodic('alert mails', EVERY_MS, () => this.run(), deps.logger);
  }

  start(): void {
    this.task.start();
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** Sends all that is due. */
  async run(): Promise<void> {
    let claimed: number;
    do {
      const now = this.deps.clock.now();
      const rows = await this.deps.database.query<Row>(CLAIM, [now, now + LEASE_MS]);
      claimed = rows.length;
      const until = now + LEASE_MS - MARGIN_MS;
      const told = await Promise.allSettled(byAudience(rows).map((list) => this.tell(list, until)));
      const failed = told.find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    } while (claimed === BATCH && !this.task.stopping);
  }

  /** Rows of one audience. */
  private async tell(rows: readonly Row[], until: number): Promise<void> {
    const addresses = await this.addressesOf(rows[0]!);
    const errors = new Map<Row, string>();
    for (const address of addresses) {
      const untold = rows.filter(({ told }) => !told.includes(address));
      const letters = untold.length > MOST_SINGLE ? [untold] : untold.map((row) => [row]);
      for (const letter of letters) {
        const begins = !this.task.stopping && this.deps.clock.now() < until;
        const error = begins ? await this.send(letter, address) : NOT_BEGUN;
        // At once, so that a crash repeats one mail at most.
        if (error === undefined) await this.noteTold(letter, address);
        else for (const row of letter) errors.set(row, error);
      }
    }
    for (const row of rows) await this.settle(row, errors.get(row));
  }

  private async noteTold(rows: readonly Row[], address: string): Promise<void> {
    for (const row of rows) {
      row.told.push(address);
      await this.deps.database.execute(TOLD, [row.alert_id, row.step, row.audience, row.tries, row.told]);
    }
  }

  private async addressesOf({ audience, client_id: clientId }: Row): Promise<readonly string[]> {
    if (audience === 'operator') return this.deps.operatorEmails;
    try {
      return (await this.deps.tenants.get(clientId)).settings.alertEmails;
    } catch (error) {
      if (error instanceof Problem && error.code === 'not_found') return [];
      throw error;
    }
  }

  /** Answers why it is to be tried again; undefined: it was taken, or never will be. */
  private async send(rows: readonly Row[], address: string): Promise<string | undefined> {
    const { mailer, publicUrl, logger } = this.deps;
    const [first] = rows;
    const outcome = await mailer.send({
      owner: first!.audience === 'operator' ? OPERATOR : first!.client_id,
      urgent: true,
      from: { email: mailer.address('alerts'), name: 'UniMsg' },
      to: address,
      ...alertLetter(rows.map(newsOf), publicUrl.get()),
      messageId: mailer.messageId(`${first!.alert_id}.${first!.step}.${rows.length}`),
    });
    if (outcome.sent) return undefined;
    // One that may have been taken is sent again too: twice, with the same Message-ID, is better than never.
    if (outcome.failure !== 'permanent') return outcome.error;
    logger.warn({ alert: first!.alert_id, error: outcome.error }, 'alert mail refused');
    return undefined;
  }

  private async settle(row: Row, error: string | undefined): Promise<void> {
    const { database, clock, logger } = this.deps;
    const key = [row.alert_id, row.step, row.audience, row.tries];
    const wait = error === undefined ? null : error === NOT_BEGUN ? 0 : retryDelay(LADDER, row.tries);
    if (wait !== null) {
      await database.execute(AGAIN, [...key, clock.now() + wait, error]);
      return;
    }
    if (error !== undefined) logger.warn({ alert: row.alert_id, error }, 'alert mail given up');
    await database.execute(DONE, key);
  }
}

/** Those of each tenant, and those of the operator; the oldest first. */
function byAudience(rows: readonly Row[]): Row[][] {
  const lists = new Map<string, Row[]>();
  for (const row of rows.toSorted((a, b) => (a.alert_id < b.alert_id ? -1 : 1))) {
    const audience = row.audience === 'operator' ? 'operator' : `tenant ${row.client_id}`;
    const list = lists.get(audience) ?? [];
    list.push(row);
    lists.set(audience, list);
  }
  return [...lists.values()];
}

function newsOf(row: Row): AlertNews {
  return {
    alertId: row.alert_id,
    step: row.step,
    clientId: row.client_id,
    alert: row.alert,
    subject: row.subject,
    severity: row.severity,
    detail: row.detail,
    clearedDetail: row.cleared_detail,
    raisedAt: row.raised_at,
    clearedAt: row.cleared_at,
  };
}
