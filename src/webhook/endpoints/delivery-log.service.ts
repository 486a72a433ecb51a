import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { idAt, idTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { Database, type Transaction } from '../../platform/database/database';
import type { WebhookAttemptView, WebhookDeliveryView } from './dto/webhooks.view';
import type { DeliveryStatus } from './dto/webhooks.dto';
import { LANE_COLUMNS, takesAll, type LaneRow } from './endpoint.row';
import { WebhookDeliveryService } from './webhook-delivery.service';
import { insertResults, itemOf } from './delivery.rows';
import type { EventRow } from '../feed/event-reader';

/** Rows that a replay handles at a time. */
const REPLAY_CHUNK = 2000;

interface DeliveryRow {
  id: string;
  event_id: string;
  event_type: string;
  message_id: string | null;
  status: DeliveryStatus;
  next_attempt_at: number | null;
  attempt_log: WebhookAttemptView[];
  created_at: number;
  updated_at: number;
}

const COLUMNS = `d.id, d.event_id, d.event_type, d.message_id, d.status, (extract(epoch FROM d.next_attempt_at) * 1000)::float8 AS next_attempt_at,
  d.attempt_log, (extract(epoch FROM d.created_at) * 1000)::float8 AS created_at, (extract(epoch FROM d.updated_at) * 1000)::float8 AS updated_at`;

export interface DeliveryFilter {
  status?: DeliveryStatus;
  event?: string;
  /** Id of the last one of the page before. */
  before?: string;
  limit: number;
}

/** What became of events at an endpoint, and sending them again. */
@Injectable()
export class DeliveryLogService {
  constructor(
    private readonly database: Database,
    private readonly deliveries: WebhookDeliveryService,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Newest first. @throws Problem not_found */
  async list(clientId: string, endpointId: string, filter: DeliveryFilter): Promise<WebhookDeliveryView[]> {
    const rows = await this.database.tenant(clientId, async (tx) => {
      await findEndpoint(tx, clientId, endpointId, '');
      // The id carries the time, so that partitions behind the page are left alone.
      const latest = filter.before === undefined ? null : idTime(filter.before, 'webhookDelivery');
      return tx.query<DeliveryRow>(
        `SELECT ${COLUMNS} FROM webhook_deliveries d
         WHERE d.client_id = $1 AND d.endpoint_id = $2 AND ($3::text IS NULL OR d.id < $3)
           AND ($4::float8 IS NULL OR d.created_at <= to_timestamp($4 / 1000)) AND ($5::text IS NULL OR d.status = $5)
           AND ($6::text IS NULL OR d.event_type = $6)
         ORDER BY d.id DESC LIMIT $7`,
        [
          clientId,
          endpointId,
          filter.before ?? null,
          latest,
          filter.status ?? null,
          filter.event ?? null,
          filter.limit,
        ],
      );
    });
    return rows.map((row) => viewOf(endpointId, row));
  }

  /**
   * Puts one delivery on its way again, with the whole ladder before it.
   * @throws Problem not_found; conflict when the endpoint is disabled
   */
  async replay(clientId: string, endpointId: string, id: string): Promise<WebhookDeliveryView> {
    const createdAt = idTime(id, 'webhookDelivery');
    const row = await this.database.tenant(clientId, async (tx) => {
      await this.lockEnabled(tx, clientId, endpointId);
      const [updated] = await tx.query<DeliveryRow>(
        `UPDATE webhook_deliveries d SET status = 'pending', attempts = 0, updated_at = now(),
           next_attempt_at = CASE WHEN d.next_attempt_at = 'infinity' THEN d.next_attempt_at ELSE to_timestamp($4::float8 / 1000) END
         WHERE d.client_id = $1 AND d.endpoint_id = $2 AND d.id = $3 AND d.created_at = to_timestamp($5::float8 / 1000) RETURNING ${COLUMNS}`,
        [clientId, endpointId, id, this.clock.now(), createdAt],
      );
      if (updated === undefined) throw Problem.notFound('delivery');
      await this.haveWork(tx, clientId, endpointId);
      return updated;
    });
    this.deliveries.wake([clientId]);
    return viewOf(endpointId, row);
  }

  /**
   * Puts the events of a time on their way again, a chunk at a time. Answers how many.
   * @throws Problem not_found; conflict when the endpoint is disabled
   */
  async replayRange(
    clientId: string,
    endpointId: string,
    range: { from: number; to: number; onlyFailed: boolean },
  ): Promise<number> {
    // First, because those that the second step makes must not be found by the first.
    const again = await this.replayRecorded(clientId, endpointId, range);
    const first = range.onlyFailed ? 0 : await this.deliverUnrecorded(clientId, endpointId, range);
    this.deliveries.wake([clientId]);
    return again + first;
  }

  private async replayRecorded(
    clientId: string,
    endpointId: string,
    range: { from: number; to: number; onlyFailed: boolean },
  ): Promise<number> {
    let count = 0;
    // A delivery is recorded after its event was created.
    let after = idAt('webhookDelivery', Math.max(0, range.from));
    for (;;) {
      const rows = await this.database.tenant(clientId, async (tx) => {
        await this.lockEnabled(tx, clientId, endpointId);
        const chosen = await tx.query<{ id: string }>(
          `WITH chosen AS (
             SELECT id, created_at FROM webhook_deliveries
             WHERE client_id = $1 AND endpoint_id = $2 AND id > $3 AND created_at >= to_timestamp($4::float8 / 1000)
               AND event_created_at >= to_timestamp($4::float8 / 1000) AND event_created_at < to_timestamp($5::float8 / 1000)
               AND (status = 'dead_letter' OR (status = 'pending' AND attempts > 0) OR (status = 'succeeded' AND NOT $6))
             ORDER BY id LIMIT $7)
           UPDATE webhook_deliveries d SET status = 'pending', attempts = 0, next_attempt_at = to_timestamp($8::float8 / 1000), updated_at = now()
           FROM chosen WHERE d.endpoint_id = $2 AND d.id = chosen.id AND d.created_at = chosen.created_at RETURNING d.id`,
          [clientId, endpointId, after, range.from, range.to, range.onlyFailed, REPLAY_CHUNK, this.clock.now()],
        );
        if (chosen.length > 0) await this.haveWork(tx, clientId, endpointId);
        return chosen;
      });
      count += rows.length;
      if (rows.length < REPLAY_CHUNK) return count;
      after = rows.reduce((last, { id }) => (id > last ? id : last), after);
    }
  }

  /** Events that the endpoint was never given: from before it was made, or of types that it takes since. */
  private async deliverUnrecorded(
    clientId: string,
    endpointId: string,
    range: { from: number; to: number },
  ): Promise<number> {
    const endpoint = await this.database.tenant(clientId, (tx) => findEndpoint(tx, clientId, endpointId, ''));
    const types = takesAll(endpoint.events) ? null : endpoint.events;
    let count = 0;
    let after = { tx: '0', seq: '0' };
    for (;;) {
      // A look of its own, without the lock: it may read much that is recorded, and the lane must not wait for that.
      const rows = await this.database.tenant(clientId, (tx) =>
        tx.query<EventRow>(
          `SELECT v.id, v.type, v.message_id, v.created_at::text AS created_at, v.tx::text AS tx, v.seq::text AS seq, NULL AS data
           FROM events v
           WHERE v.client_id = $1 AND v.created_at >= to_timestamp($3::float8 / 1000) AND v.created_at < to_timestamp($4::float8 / 1000)
             AND (v.tx, v.seq) > ($8::xid8, $9::bigint) AND (v.tx, v.seq) <= ($5::xid8, $6::bigint)
             AND ($7::text[] IS NULL OR v.type = ANY ($7))
             AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d
               WHERE d.endpoint_id = $2 AND d.event_id = v.id AND d.created_at >= to_timestamp($3::float8 / 1000))
           ORDER BY v.tx, v.seq LIMIT $10`,
          [
            clientId,
            endpointId,
            range.from,
            range.to,
            endpoint.cursor_tx,
            endpoint.cursor_seq,
            types,
            after.tx,
            after.seq,
            REPLAY_CHUNK,
          ],
        ),
      );
      const last = rows.at(-1);
      if (last === undefined) return count;
      await this.database.tenant(clientId, async (tx) => {
        await this.lockEnabled(tx, clientId, endpointId);
        const now = this.clock.now();
        await insertResults(
          tx,
          endpoint,
          rows.map((row) => ({ item: itemOf(row, 0), outcome: 'pending', attempt: null, nextAttemptAt: now })),
        );
        await this.haveWork(tx, clientId, endpointId);
      });
      count += rows.length;
      if (rows.length < REPLAY_CHUNK) return count;
      after = { tx: last.tx, seq: last.seq };
    }
  }

  /** Takes the lock that orders all writes to an endpoint's deliveries. */
  private async lockEnabled(tx: Transaction, clientId: string, endpointId: string): Promise<void> {
    const endpoint = await findEndpoint(tx, clientId, endpointId, 'FOR UPDATE');
    if (!endpoint.enabled) throw new Problem('conflict', 'The webhook endpoint is disabled; enable it first.');
  }

  /** Lets the endpoint's lane know that there is something to send. */
  private async haveWork(tx: Transaction, clientId: string, endpointId: string): Promise<void> {
    await tx.execute(
      `UPDATE webhook_endpoints SET next_retry_at = least(next_retry_at, to_timestamp($3::float8 / 1000)) WHERE client_id = $1 AND id = $2`,
      [clientId, endpointId, this.clock.now()],
    );
  }
}

async function findEndpoint(tx: Transaction, clientId: string, id: string, lock: '' | 'FOR UPDATE'): Promise<LaneRow> {
  const [row] = await tx.query<LaneRow>(
    `SELECT ${LANE_COLUMNS} FROM webhook_endpoints e WHERE e.client_id = $1 AND e.id = $2 ${lock}`,
    [clientId, id],
  );
  if (row === undefined) throw Problem.notFound('webhook endpoint');
  return row;
}

function viewOf(endpointId: string, row: DeliveryRow): WebhookDeliveryView {
  const next = row.next_attempt_at;
  return {
    id: row.id,
    webhook_id: endpointId,
    event_id: row.event_id,
    event: row.event_type,
    message_id: row.message_id,
    status: row.status,
    next_attempt_at: next === null || !Number.isFinite(next) ? null : new Date(next).toISOString(),
    attempts: row.attempt_log,
    created_at: new Date(row.created_at).toISOString(),
    updated_at: new Date(row.updated_at).toISOString(),
  };
}
