import type { AlertBook } from '../../platform/alerts/alert-book';
import { TableLaneLeases } from '../../platform/delivery/lane-leases';
import type { LeasedLane, LeaseRequest } from '../../platform/delivery/lane.runner';
import { DeliveryWriter } from './delivery-writer';
import { TAKE } from './delivery.statements';
import { ReceiverLane, type ReceiverLaneContext } from './receiver-lane';
import type { ReceiverRow } from './receiver.row';

/** Who serves which receiver. Groups are numbers. */
export class ReceiverLaneLeases extends TableLaneLeases<ReceiverRow> {
  private writer: DeliveryWriter | undefined;

  constructor(private readonly context: Omit<ReceiverLaneContext, 'owner' | 'writer'> & { alerts: AlertBook }) {
    super(context.database, 'number_receivers', TAKE);
  }

  protected lanesOf(rows: readonly ReceiverRow[], { owner }: LeaseRequest): LeasedLane[] {
    this.writer ??= new DeliveryWriter(this.context.database, owner, this.context.alerts);
    const context = { ...this.context, owner, writer: this.writer };
    return rows.map((row) => ({ id: row.id, group: row.number_id, lane: new ReceiverLane(row, context) }));
  }
}
