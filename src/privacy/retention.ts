import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../kernel/clock';
import { idAt, type IdKind } from '../kernel/ids';
import { LOGGER, type Logger } from '../kernel/logger';
import { Periodic } from '../kernel/periodic';
import { Database, type Transaction } from '../platform/database/database';
import { tenantSettings } from '../tenancy/tenant-settings';
import { ENDPOINTS } from './erasure.statements';
import {
  BLANK_CALLBACKS,
  BLANK_DELIVERIES,
  BLANK_EVENTS,
  BLANK_INBOUND,
  BLANK_LEFT,
  BLANK_MESSAGES,
  DELETE_CALLBACKS,
  DELETE_DELIVERIES,
  DELETE_EVENTS,
  DELETE_INBOUND,
  DELETE_MESSAGES,
  type RetentionPiece,
} from './retention.statements';

const EVERY_MS = 10 * 60_000;
const DAY_MS = 24 * 3_600_000;
/** Rows of one transaction. */
const PIECE = 1_000;
/** Longest time of a round that goes into one tenant; the rest comes in the next one. */
const TENANT_MS = 20_000;
/** One scheduler at a time does a piece: the others find the lock taken and leave. */
const LOCK = 815_022;

/** Kinds of records by the ids that carry their time. */
const BLANKS: ReadonlyArray<[RetentionPiece, IdKind]> = [
  [BLANK_MESSAGES, 'message'],
  [BLANK_EVENTS, 'event'],
  [BLANK_CALLBACKS, 'providerEvent'],
  [BLANK_INBOUND, 'inbound'],
];
const DELETIONS: ReadonlyArray<[sql: string, IdKind]> = [
  [DELETE_MESSAGES, 'message'],
  [DELETE_EVENTS, 'event'],
  [DELETE_CALLBACKS, 'providerEvent'],
  [DELETE_INBOUND, 'inbound'],
];

/**
 * Erases on time what tenants do not want to keep: bodies and what is personal after `body_days`, whole records after `record_days`. Tenants without
 * retention cost nothing; of the others each piece is found by the index of its kind, from where the last one ended. Figures of usage are counters of
 * their own and stay.
 */
@Injectable()
export class Retention {
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.task = new Periodic('retention', EVERY_MS, () => this.run(), logger);
  }

  start(): void {
    this.task.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** One round over all tenants. Safe to run at any time, in any number of processes. */
  async run(): Promise<void> {
    const rows = await this.database.query<{ client_id: string; settings: Record<string, unknown> }>(
      "SELECT client_id, settings FROM tenants WHERE settings ? 'retention' ORDER BY client_id",
    );
    for (const row of rows) {
      if (this.task.stopping) return;
      const { bodyDays, recordDays } = tenantSettings(row.settings).retention;
      const until = performance.now() + TENANT_MS;
      const goesOn = () => !this.task.stopping && performance.now() < until;
      try {
        // What goes altogether need not lose its body first.
        if (recordDays !== null) await this.deleteRecords(row.client_id, this.daysAgo(recordDays), goesOn);
        if (bodyDays !== null) await this.blankBodies(row.client_id, this.daysAgo(bodyDays), goesOn);
      } catch (error) {
        // One tenant's trouble must not keep the others' data.
        this.logger.warn({ err: error, client_id: row.client_id }, 'retention not finished');
      }
    }
  }

  private daysAgo(days: number): number {
    return this.clock.now() - days * DAY_MS;
  }

  private async blankBodies(clientId: string, before: number, goesOn: () => boolean): Promise<void> {
    await this.inPieces(clientId, goesOn, async (tx) => {
      const [row] = await tx.query<{ seen: number }>(BLANK_LEFT, [clientId, PIECE]);
      return row!.seen;
    });
    for (const [{ store, sql }, kind] of BLANKS) {
      await this.inPieces(clientId, goesOn, (tx) => this.blank(tx, clientId, { store, sql, kind, before }));
    }
    await this.ofEachEndpoint(clientId, goesOn, (tx, endpoint) =>
      this.blank(tx, clientId, {
        store: `webhook_deliveries/${endpoint}`,
        sql: BLANK_DELIVERIES,
        kind: 'webhookDelivery',
        before,
        endpoint,
      }),
    );
  }

  private async blank(
    tx: Transaction,
    clientId: string,
    of: { store: string; sql: string; kind: IdKind; before: number; endpoint?: string },
  ): Promise<number> {
    const [kept] = await tx.query<{ cursor: string[] }>(
      'SELECT cursor FROM retention_cursors WHERE client_id = $1 AND store = $2',
      [clientId, of.store],
    );
    const [cursor, cursorId] = kept?.cursor ?? ['', ''];
    const [row] = await tx.query<{ seen: number; cursor: string | null; cursor_id: string | null }>(of.sql, [
      clientId,
      new Date(of.before),
      idAt(of.kind, of.before),
      cursor,
      of.endpoint ?? cursorId,
      PIECE,
    ]);
    if (row!.seen > 0) {
      await tx.execute(
        `INSERT INTO retention_cursors (client_id, store, cursor) VALUES ($1, $2, $3)
         ON CONFLICT (client_id, store) DO UPDATE SET cursor = excluded.cursor`,
        [clientId, of.store, [row!.cursor, row!.cursor_id]],
      );
    }
    return row!.seen;
  }

  private async deleteRecords(clientId: string, before: number, goesOn: () => boolean): Promise<void> {
    const values = (kind: IdKind) => [clientId, new Date(before), idAt(kind, before), PIECE];
    for (const [sql, kind] of DELETIONS) {
      await this.inPieces(clientId, goesOn, async (tx) => {
        const [row] = await tx.query<{ seen: number }>(sql, values(kind));
        return row!.seen;
      });
    }
    await this.ofEachEndpoint(clientId, goesOn, async (tx, endpoint) => {
      const [row] = await tx.query<{ seen: number }>(DELETE_DELIVERIES, [...values('webhookDelivery'), endpoint]);
      return row!.seen;
    });
  }

  private async ofEachEndpoint(
    clientId: string,
    goesOn: () => boolean,
    work: (tx: Transaction, endpoint: string) => Promise<number>,
  ): Promise<void> {
    for (let endpoint = ''; goesOn();) {
      const [row] = await this.database.query<{ endpoint_id: string }>(ENDPOINTS, [clientId, endpoint]);
      if (row === undefined) return;
      endpoint = row.endpoint_id;
      await this.inPieces(clientId, goesOn, (tx) => work(tx, endpoint));
    }
  }

  /** As many pieces as there are full ones. */
  private async inPieces(
    clientId: string,
    goesOn: () => boolean,
    work: (tx: Transaction) => Promise<number>,
  ): Promise<void> {
    for (let seen = PIECE; seen === PIECE && goesOn();) {
      seen = await this.database.tenant(clientId, async (tx) => {
        const [lock] = await tx.query<{ taken: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS taken', [LOCK]);
        return lock!.taken ? work(tx) : 0;
      });
    }
  }
}
