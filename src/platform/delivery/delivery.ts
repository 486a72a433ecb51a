/** One try to hand something over, as it is kept and shown. */
export interface DeliveryAttempt {
  /** When it began, milliseconds since the epoch. */
  at: number;
  latencyMs: number;
  /** Missing when no answer came. */
  statusCode?: number;
  /** A stable word for why it failed (`http_status`, `timeout`, `connection_refused`, `address_not_allowed`, …); missing: it succeeded. */
  error?: string;
  /** The first KiB of the answer. */
  response?: string;
}

/** Something to hand over to one receiver. */
export interface DeliveryItem {
  /** Items of one key reach the receiver strictly one after another; null: in any order. */
  readonly orderKey: string | null;
  /** Failed tries of the ladder so far. */
  readonly attempts: number;
}

/**
 * What became of an item.
 * - `succeeded`, `dead_letter`: done, with the try that ended it
 * - `pending`: to be tried at `nextAttemptAt`; without an attempt when a shutdown came first
 * - `blocked`: not tried, because an earlier item of its key is still pending
 */
export type DeliveryResult<Item extends DeliveryItem> =
  | { item: Item; outcome: 'succeeded' | 'dead_letter'; attempt: DeliveryAttempt }
  | { item: Item; outcome: 'pending'; attempt: DeliveryAttempt | null; nextAttemptAt: number }
  | { item: Item; outcome: 'blocked' };

/** How a receiver has been doing. */
export interface ReceiverHealth {
  /** Failed tries since the last success. */
  failuresInRow: number;
  /** When the first of them was, milliseconds; null when the last try succeeded. */
  failingSince: number | null;
}

/** Some items that were never tried, and the place in the source that is reached when they are settled. */
export interface FreshChunk<Item extends DeliveryItem, Position> {
  readonly items: readonly Item[];
  readonly from: Position;
  readonly to: Position;
  /** False: the source had no more than this. */
  readonly more: boolean;
  /** Keys that have a pending item from before. */
  readonly blockedKeys: ReadonlySet<string>;
}

/** Another process serves the receiver now, or it is gone: nothing of what is under way may be written. */
export class LaneLostError extends Error {
  constructor() {
    super('the lane belongs to another process');
    this.name = 'LaneLostError';
  }
}

/**
 * Where the items of one receiver come from and where results go. One {@link DeliveryLane} calls it, never two at a time for the same receiver:
 * a lease sees to that, and `settle…` checks the lease in the transaction that it writes in.
 */
export interface LaneSource<Item extends DeliveryItem, Position> {
  /** Reads items behind a position, in order; null: behind the stored one. */
  fresh(after: Position | null, limit: number): Promise<FreshChunk<Item, Position>>;
  /**
   * Writes the results of a whole chunk and moves the stored position over it, in one transaction. Called again with the same chunk when the
   * database was away, so it must notice that it has already been done.
   * @throws LaneLostError
   */
  settleFresh(
    chunk: FreshChunk<Item, Position>,
    results: ReadonlyArray<DeliveryResult<Item>>,
    health: ReceiverHealth,
  ): Promise<void>;
  /** Pending items that are due and have no earlier pending item of their key. */
  due(now: number, limit: number): Promise<Item[]>;
  /** Writes results of items from {@link due}. @throws LaneLostError */
  settleDue(results: ReadonlyArray<DeliveryResult<Item>>, health: ReceiverHealth): Promise<void>;
  /** When the first pending item is due, milliseconds, as far as this process knows; null: none is pending. */
  nextDueAt(): number | null;
  /** False when the receiver wants nothing more. */
  enabled(): boolean;
  /** Tries an item once. Never rejects. */
  send(item: Item): Promise<DeliveryAttempt>;
}
