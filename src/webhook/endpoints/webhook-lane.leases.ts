import { statement } from '../../platform/database/database';
import { DeliveryLane, type LaneProfile } from '../../platform/delivery/delivery.lane';
import { TableLaneLeases } from '../../platform/delivery/lane-leases';
import type { LeasedLane, LeaseRequest } from '../../platform/delivery/lane.runner';
import { LANE_COLUMNS, type LaneRow } from './endpoint.row';
import { WebhookLaneSource, type LaneContext } from './webhook-lane.source';

const FREE = `e.enabled AND (e.lane_until IS NULL OR e.lane_until < now() OR e.lane_owner = $1)`;

const TAKE = statement(
  'webhooks.take',
  // One look for all endpoints: a probe of the index (client_id, tx, seq) each, and only of partitions that its events can be in.
  // In random order, so that every endpoint gets its turn when there are more than can be served at once.
  `WITH working AS (
     SELECT e.id, e.failures_in_row >= $8 AS failing
     FROM webhook_endpoints e
     WHERE ${FREE} AND e.id <> ALL ($4::text[]) AND ($5::text[] IS NULL OR e.client_id = ANY ($5))
       AND (e.next_retry_at <= to_timestamp($3::float8 / 1000) OR EXISTS (
         SELECT 1 FROM events v
         WHERE v.client_id = e.client_id AND (v.tx, v.seq) > (e.cursor_tx, e.cursor_seq)
           AND v.tx < pg_snapshot_xmin(pg_current_snapshot()) AND v.created_at >= e.cursor_floor))
   ), picked AS (
     SELECT id FROM (SELECT id, failing, row_number() OVER (PARTITION BY failing ORDER BY random()) AS place FROM working) w
     WHERE place <= CASE WHEN failing THEN $7::int ELSE $6::int END
   ), locked AS (
     SELECT e.id FROM webhook_endpoints e WHERE e.id IN (SELECT id FROM picked) AND ${FREE} FOR UPDATE SKIP LOCKED
   )
   UPDATE webhook_endpoints e SET lane_owner = $1, lane_until = now() + $2::float8 * interval '1 millisecond'
   FROM locked WHERE e.id = locked.id RETURNING ${LANE_COLUMNS}`,
);

/** Who serves which endpoint. Groups are tenants. */
export class WebhookLaneLeases extends TableLaneLeases<LaneRow> {
  constructor(
    private readonly context: Omit<LaneContext, 'owner' | 'leaseMs' | 'failingAfter'>,
    private readonly profile: LaneProfile,
  ) {
    super(context.database, 'webhook_endpoints', TAKE);
  }

  protected lanesOf(rows: readonly LaneRow[], { owner, ttlMs }: LeaseRequest): LeasedLane[] {
    const context = { ...this.context, owner, leaseMs: ttlMs, failingAfter: this.profile.failingAfter };
    return rows.map((row) => {
      const health = { failuresInRow: row.failures_in_row, failingSince: row.failing_since };
      const lane = new DeliveryLane(new WebhookLaneSource(row, context), this.profile, health, this.context.clock);
      return { id: row.id, group: row.client_id, lane };
    });
  }
}
