import type { AlertBook } from '../../platform/alerts/alert-book';
import type { LaneLeases, LeasedLane, LeaseRequest } from '../../platform/delivery/lane.runner';
import { DeliveryWriter } from './delivery-writer';
import { RELEASE, RENEW, TAKE } from './delivery.statements';
import { ReceiverLane, type ReceiverLaneContext } from './receiver-lane';
import type { ReceiverRow } from './receiver.row';

/** Who serves which receiver. Groups are numbers. */
export class ReceiverLaneLeases implements LaneLeases {
  private writer: DeliveryWriter | undefined;

  constructor(private readonly context: Omit<ReceiverLaneContext, 'owner' | 'writer'> & { alerts: AlertBook }) {}

  async take(request: LeaseRequest): Promise<LeasedLane[]> {
    const rows = await this.context.database.query<ReceiverRow>(TAKE, [
      request.owner,
      request.ttlMs,
      request.now,
      request.except,
      request.groups,
      request.healthy,
      request.failing,
      request.failingAfter,
    ]);
    this.writer ??= new DeliveryWriter(this.context.database, request.owner, this.context.alerts);
    const context = { ...this.context, owner: request.owner, writer: this.writer };
    return rows.map((row) => ({ id: row.id, group: row.number_id, lane: new ReceiverLane(row, context) }));
  }

  async renew(owner: string, ids: readonly string[], ttlMs: number): Promise<string[]> {
    const rows = await this.context.database.query<{ id: string }>(RENEW, [owner, ids, ttlMs]);
    return rows.map(({ id }) => id);
  }

  async release(owner: string, id: string): Promise<void> {
    await this.context.database.execute(RELEASE, [owner, id]);
  }
}
