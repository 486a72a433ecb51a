import type { Clock } from '../../kernel/clock';
import type { Logger } from '../../kernel/logger';
import type { Database, Transaction } from '../../platform/database/database';
import {
  LaneLostError,
  type DeliveryAttempt,
  type DeliveryResult,
  type FreshChunk,
  type LaneSource,
  type ReceiverHealth,
} from '../../platform/delivery/delivery';
import type { DeliveryMetrics } from '../../platform/delivery/delivery-metrics';
import type { AlertBook } from '../../platform/alerts/alert-book';
import type { EventStore } from '../../platform/events/event-store';
import { positionOf, readEvents, rfc3339, type EventPosition } from '../feed/event-reader';
import { insertResults, itemOf, settleResults, type DueRow, type WebhookItem } from './delivery.rows';
import { BLOCK, BLOCKED, DUE, MOVE, NEXT_RETRY, TOUCH, UNBLOCK } from './delivery.statements';
import { DISABLE_AFTER_MS, LANE_COLUMNS, takesAll, type LaneRow } from './endpoint.row';
import type { OutgoingEvent } from './webhook-event';
import type { WebhookSender, WebhookTarget } from './webhook-sender';

/** What every webhook lane works with. */
export interface LaneContext {
  database: Database;
  events: EventStore;
  alerts: AlertBook;
  sender: WebhookSender;
  clock: Clock;
  metrics: DeliveryMetrics;
  logger: Logger;
  owner: string;
  leaseMs: number;
  /** Failures in a row below which an endpoint is never disabled. */
  failingAfter: number;
}

/** The events of one endpoint, and the record of what became of them. */
export class WebhookLaneSource implements LaneSource<WebhookItem, EventPosition> {
  private stored: EventPosition;
  private target: WebhookTarget | undefined;

  constructor(
    private row: LaneRow,
    private readonly context: LaneContext,
  ) {
    this.stored = { tx: row.cursor_tx, seq: row.cursor_seq, floor: row.cursor_floor };
  }

  enabled(): boolean {
    return this.row.enabled;
  }

  nextDueAt(): number | null {
    return this.row.next_retry_at;
  }

  async fresh(after: EventPosition | null, limit: number): Promise<FreshChunk<WebhookItem, EventPosition>> {
    const from = after ?? this.stored;
    const types = takesAll(this.row.events) ? null : this.row.events;
    const rows = await readEvents(this.context.database, this.row.client_id, from, limit, types);
    const last = rows.at(-1);
    const items: WebhookItem[] = [];
    for (const row of rows) if (row.data !== null) items.push(itemOf(row, 0));
    return {
      items,
      from,
      to: last ? positionOf(last) : from,
      more: rows.length === limit,
      blockedKeys: await this.blockedKeys(items),
    };
  }

  private async blockedKeys(items: readonly WebhookItem[]): Promise<ReadonlySet<string>> {
    // Only this lane makes the first pending delivery, so when it knows of none there is none.
    const keys =
      this.row.next_retry_at === null ? [] : items.map((item) => item.orderKey).filter((key) => key !== null);
    if (keys.length === 0) return new Set();
    const rows = await this.context.database.query<{ message_id: string }>(BLOCKED, [this.row.id, keys]);
    return new Set(rows.map((row) => row.message_id));
  }

  async settleFresh(
    chunk: FreshChunk<WebhookItem, EventPosition>,
    results: ReadonlyArray<DeliveryResult<WebhookItem>>,
    health: ReceiverHealth,
  ): Promise<void> {
    const { owner, leaseMs, database } = this.context;
    let next = Number.POSITIVE_INFINITY;
    let pending = false;
    const keys = new Set<string>();
    for (const result of results) {
      if (result.outcome === 'succeeded' || result.outcome === 'dead_letter') continue;
      pending = true;
      if (result.outcome === 'pending') next = Math.min(next, result.nextAttemptAt);
      else keys.add(result.item.orderKey!);
    }
    const disabled = await database.transaction(async (tx) => {
      const [row] = await tx.query<LaneRow>(MOVE, [
        this.row.id,
        owner,
        chunk.from.tx,
        chunk.from.seq,
        chunk.to.tx,
        chunk.to.seq,
        chunk.to.floor,
        health.failuresInRow,
        health.failingSince,
        pending ? next : null,
        leaseMs,
      ]);
      if (row === undefined) {
        await this.expectSettled(tx, chunk.to);
        return false;
      }
      if (results.length > 0) await insertResults(tx, this.row, results);
      // What they wait for may have been delivered between the read and this lock.
      if (keys.size > 0) {
        await tx.execute(UNBLOCK, [this.row.id, [...keys], this.context.clock.now()]);
        row.next_retry_at = await nextRetry(tx, this.row.id);
      }
      const disabled = await this.disableIfHopeless(tx, row, health);
      this.update(row);
      return disabled;
    });
    this.stored = chunk.to;
    if (disabled) this.context.events.signal.committed([this.row.client_id]);
  }

  /** A commit whose answer was lost comes here again: then everything is written already. */
  private async expectSettled(tx: Transaction, position: EventPosition): Promise<void> {
    const [row] = await tx.query<LaneRow>(
      `SELECT ${LANE_COLUMNS} FROM webhook_endpoints e WHERE id = $1 AND lane_owner = $2`,
      [this.row.id, this.context.owner],
    );
    if (row?.cursor_tx !== position.tx || row.cursor_seq !== position.seq) throw new LaneLostError();
    this.update(row);
  }

  async due(now: number, limit: number): Promise<WebhookItem[]> {
    const rows = await this.context.database.query<DueRow>(DUE, [this.row.id, now, limit]);
    if (rows.length === 0) await this.correctNextRetry(now);
    return rows.map((row) => ({
      ...itemOf(row, row.attempts),
      delivery: { id: row.delivery_id, createdAt: row.delivery_created_at },
    }));
  }

  /** Nothing is due though the endpoint says so: else it would be looked at again and again. */
  private async correctNextRetry(now: number): Promise<void> {
    const { next_retry_at: next } = this.row;
    if (next === null || next > now) return;
    this.row.next_retry_at = await this.context.database.transaction(async (tx) => {
      // First the lock: who puts a delivery on its way takes it too.
      const own = await tx.query('SELECT 1 FROM webhook_endpoints WHERE id = $1 AND lane_owner = $2 FOR UPDATE', [
        this.row.id,
        this.context.owner,
      ]);
      if (own.length === 0) throw new LaneLostError();
      return nextRetry(tx, this.row.id);
    });
  }

  async settleDue(results: ReadonlyArray<DeliveryResult<WebhookItem>>, health: ReceiverHealth): Promise<void> {
    const { owner, leaseMs, database } = this.context;
    const ended: string[] = [];
    const failed: string[] = [];
    for (const { item, outcome } of results) {
      if (item.orderKey !== null) (outcome === 'pending' ? failed : ended).push(item.orderKey);
    }
    const disabled = await database.transaction(async (tx) => {
      const [row] = await tx.query<LaneRow>(TOUCH, [
        this.row.id,
        owner,
        health.failuresInRow,
        health.failingSince,
        leaseMs,
      ]);
      if (row === undefined) throw new LaneLostError();
      await settleResults(tx, this.row.id, results);
      if (ended.length > 0) await tx.execute(UNBLOCK, [this.row.id, ended, this.context.clock.now()]);
      if (failed.length > 0) await tx.execute(BLOCK, [this.row.id, failed]);
      row.next_retry_at = await nextRetry(tx, this.row.id);
      const disabled = await this.disableIfHopeless(tx, row, health);
      this.update(row);
      return disabled;
    });
    if (disabled) this.context.events.signal.committed([this.row.client_id]);
  }

  async send(item: WebhookItem): Promise<DeliveryAttempt> {
    const { clock, metrics } = this.context;
    if (item.data === null) return { at: clock.now(), latencyMs: 0, error: 'event_expired' };
    const createdAt = rfc3339(item.eventCreatedAt);
    const event = { id: item.eventId, type: item.type, createdAt, data: item.data };
    const attempt = await this.post(event);
    metrics.tried(attempt.error === undefined ? 'succeeded' : 'failed', clock.now() - Date.parse(createdAt));
    return attempt;
  }

  private async post(event: OutgoingEvent): Promise<DeliveryAttempt> {
    const { sender, clock, logger } = this.context;
    const at = clock.now();
    try {
      this.target ??= sender.target(this.row);
      return await sender.send(this.target, event);
    } catch (error) {
      // A fault of ours: a secret that does not open with the keys that there are, say. It is tried again like any other.
      logger.error({ err: error, event: event.id, endpoint: this.row.id }, 'webhook delivery failed');
      return { at, latencyMs: 0, error: 'internal_error' };
    }
  }

  private update(row: LaneRow): void {
    if (row.updated_at !== this.row.updated_at) this.target = undefined;
    this.row = row;
  }

  /** Answers whether the endpoint was disabled. */
  private async disableIfHopeless(tx: Transaction, row: LaneRow, health: ReceiverHealth): Promise<boolean> {
    const { clock, alerts, failingAfter } = this.context;
    const now = clock.now();
    if (!row.enabled || health.failingSince === null || health.failuresInRow < failingAfter) return false;
    if (now - health.failingSince < DISABLE_AFTER_MS) return false;
    await tx.execute(
      `UPDATE webhook_endpoints SET enabled = false, disabled_at = to_timestamp($2::float8 / 1000), disabled_reason = 'failing',
         updated_at = to_timestamp($2::float8 / 1000) WHERE id = $1`,
      [row.id, now],
    );
    row.enabled = false;
    await alerts.raise(tx, {
      clientId: row.client_id,
      alert: 'webhook_disabled',
      subject: row.id,
      detail:
        'Every delivery to this webhook endpoint failed for 5 days, so it was disabled. Events are kept; enable it to receive them.',
      data: { webhook_id: row.id, failing_since: new Date(health.failingSince).toISOString() },
      occurredAt: now,
    });
    return true;
  }
}

async function nextRetry(tx: Transaction, endpointId: string): Promise<number | null> {
  const [row] = await tx.query<{ next_retry_at: number | null }>(NEXT_RETRY, [endpointId]);
  return row?.next_retry_at ?? null;
}
