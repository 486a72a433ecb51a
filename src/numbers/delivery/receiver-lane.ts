import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../kernel/clock';
import type { Logger } from '../../kernel/logger';
import { type Database, isDatabaseUnavailable } from '../../platform/database/database';
import { LaneLostError, type DeliveryAttempt, type ReceiverHealth } from '../../platform/delivery/delivery';
import type { Lane } from '../../platform/delivery/lane.runner';
import type { InboundDeliveryMetrics } from './inbound-delivery-metrics';
import type { InboundSender } from './inbound-sender';
import { itemOf, type InboundItem, type ItemRow } from './delivery.rows';
import { DUE, FRESH, LOCK, NEXT_RETRY, STATE } from './delivery.statements';
import type { DeliveryWriter, ItemResult } from './delivery-writer';
import { type Pace, PacedQueue } from './paced-queue';
import type { ReceiverRow } from './receiver.row';

/** How receivers are served. */
export interface ReceiverProfile {
  first: Pace;
  retries: Pace;
  /** Most messages that are read at once. */
  chunk: number;
  /** Failures in a row that make a receiver a failing one. */
  failingAfter: number;
}

/** What every lane works with. */
export interface ReceiverLaneContext {
  database: Database;
  writer: DeliveryWriter;
  sender: InboundSender;
  clock: Clock;
  logger: Logger;
  metrics: InboundDeliveryMetrics;
  profile: ReceiverProfile;
  owner: string;
}

/**
 * Serves one receiver while this process holds its lease: messages that were never tried in the order of their sequence, and beside them those that
 * are due again. Each result is written by itself, so none waits for one that hangs; what is in memory is one chunk of each kind.
 */
export class ReceiverLane implements Lane {
  private readonly first: PacedQueue<InboundItem>;
  private readonly retries: PacedQueue<InboundItem>;
  /** What is read and not yet written, by id of the message. */
  private readonly held = new Set<string>();
  private readonly underWay = new Set<() => void>();
  private readonly health: ReceiverHealth;
  private key: KeyObject | undefined;
  /** Sequence of the last message that was read, and whether there may be more behind it. */
  private readTo: number;
  private more = true;
  /** Whether more may be due than was read. */
  private moreDue = false;
  private looking = false;
  private again = false;
  private stopping = false;
  private interrupted = false;
  private lost = false;
  private ended = false;
  private error: Error | undefined;
  private finished!: () => void;
  private readonly end = new Promise<void>((resolve) => (this.finished = resolve));

  constructor(
    private row: ReceiverRow,
    private readonly context: ReceiverLaneContext,
  ) {
    const { first, retries } = context.profile;
    this.health = { failuresInRow: row.failures_in_row, failingSince: row.failing_since };
    this.readTo = row.cursor_sequence;
    const over = (): void => this.settled();
    this.first = new PacedQueue(first, (item) => this.deliver(item), over);
    this.retries = new PacedQueue(retries, (item) => this.deliver(item), over);
  }

  failing(): boolean {
    return this.health.failuresInRow >= this.context.profile.failingAfter;
  }

  async run(): Promise<void> {
    this.wake();
    await this.end;
    if (this.error !== undefined) throw this.error;
  }

  wake(): boolean {
    if (this.ended) return false;
    if (this.looking) this.again = true;
    else if (!this.stopping) void this.look();
    return true;
  }

  stop(): void {
    this.stopping = true;
    this.first.clear();
    this.retries.clear();
    this.settleEnd();
  }

  /** What is under way stays as it is in the database, so that it is tried again. */
  interrupt(): void {
    this.interrupted = true;
    this.stop();
    for (const leave of this.underWay) leave();
    this.underWay.clear();
  }

  lose(): void {
    this.lost = true;
    this.interrupt();
  }

  private async look(): Promise<void> {
    this.looking = true;
    try {
      do {
        this.again = false;
        await this.read();
        // Stopping, it may be idle because a result was not written: the cursor would pass over that message.
        if (this.isIdle() && !this.again && !this.stopping) await this.rest();
      } while (this.again && !this.stopping);
    } catch (error) {
      this.fail(error);
    }
    this.looking = false;
    this.settleEnd();
  }

  private fail(error: unknown): void {
    this.error ??= error instanceof Error ? error : new Error(String(error));
    if (error instanceof LaneLostError) this.lose();
    else this.stop();
  }

  private async read(): Promise<void> {
    const { database, owner, clock, sender } = this.context;
    const [row] = await database.query<ReceiverRow>(STATE, [this.row.id, owner]);
    if (row === undefined || row.removed) throw new LaneLostError();
    this.row = row;
    this.key = await sender.key(row.client_id);
    if (row.sequence > this.readTo) this.more = true;
    if (this.more && this.hasRoom(this.first)) await this.readFresh(row);
    if (row.next_retry_at !== null && row.next_retry_at <= clock.now() && this.hasRoom(this.retries))
      await this.readDue();
  }

  private hasRoom(queue: PacedQueue<InboundItem>): boolean {
    return queue.size < this.context.profile.chunk / 2;
  }

  private async readFresh(row: ReceiverRow): Promise<void> {
    const { database, profile } = this.context;
    const rows = await database.query<ItemRow>(FRESH, [row.id, this.readTo, profile.chunk]);
    this.more = rows.length === profile.chunk;
    this.readTo = Math.max(this.more ? 0 : row.sequence, rows.at(-1)?.delivery_sequence ?? 0);
    this.add(this.first, rows);
  }

  private async readDue(): Promise<void> {
    const { database, profile, clock, owner } = this.context;
    const rows = await database.query<ItemRow>(DUE, [this.row.id, clock.now(), [...this.held], profile.chunk]);
    this.moreDue = rows.length === profile.chunk;
    this.add(this.retries, rows);
    if (rows.length > 0 || this.retries.running > 0 || this.retries.size > 0) return;
    await database.flush(async (tx) => {
      if ((await tx.query(LOCK, [this.row.id, owner])).length === 0) throw new LaneLostError();
      await tx.execute(NEXT_RETRY, [this.row.id]);
    });
  }

  private add(queue: PacedQueue<InboundItem>, rows: readonly ItemRow[]): void {
    const items = rows.map(itemOf).filter(({ inboundId }) => !this.held.has(inboundId));
    for (const { inboundId } of items) this.held.add(inboundId);
    if (!this.stopping) queue.add(items);
  }

  /** Nothing is left to do: later messages are found by their sequence alone. */
  private async rest(): Promise<void> {
    if (this.row.cursor_sequence >= this.readTo) return;
    const { writer } = this.context;
    await this.persist(() =>
      writer.write({ receiverId: this.row.id, cursor: this.readTo, health: { ...this.health } }),
    );
    this.row.cursor_sequence = this.readTo;
  }

  private isIdle(): boolean {
    return this.held.size === 0 && !this.more;
  }

  /** An item is done. */
  private settled(): void {
    const wanted =
      this.held.size === 0 || (this.more && this.hasRoom(this.first)) || (this.moreDue && this.hasRoom(this.retries));
    if (wanted && !this.stopping) this.wake();
    else this.settleEnd();
  }

  private settleEnd(): void {
    if (this.ended || this.looking || this.first.running > 0 || this.retries.running > 0) return;
    if (!this.stopping && !this.isIdle()) return;
    this.ended = true;
    this.finished();
  }

  private async deliver(item: InboundItem): Promise<void> {
    try {
      const attempt = await this.send(item);
      if (attempt !== null) await this.settle(item, attempt);
    } catch (error) {
      this.fail(error);
    }
    this.held.delete(item.inboundId);
  }

  /** Null: interrupted. */
  private send(item: InboundItem): Promise<DeliveryAttempt | null> {
    if (this.stopping) return Promise.resolve(null);
    return new Promise((resolve) => {
      const leave = (): void => resolve(null);
      this.underWay.add(leave);
      void this.attempt(item).then((attempt) => {
        this.underWay.delete(leave);
        resolve(attempt);
      });
    });
  }

  private async attempt(item: InboundItem): Promise<DeliveryAttempt> {
    const { sender, clock, logger } = this.context;
    const at = clock.now();
    try {
      return await sender.send(this.row, item, this.key!);
    } catch (error) {
      // A fault of ours must not keep the messages behind it from the receiver.
      logger.error({ err: error, inbound: item.inboundId, receiver: this.row.id }, 'inbound delivery failed');
      return { at, latencyMs: 0, error: 'internal_error' };
    }
  }

  private async settle(item: InboundItem, attempt: DeliveryAttempt): Promise<void> {
    const { writer, metrics, clock } = this.context;
    const result = this.resultOf(item, attempt);
    const receivedAt = item.message?.receivedAt ?? attempt.at;
    metrics.tried(this.row.type, result.status, clock.now() - receivedAt);
    await this.persist(() => writer.write({ receiverId: this.row.id, result, health: { ...this.health } }));
  }

  private resultOf(item: InboundItem, attempt: DeliveryAttempt): ItemResult {
    if (attempt.error === undefined) {
      this.health.failuresInRow = 0;
      this.health.failingSince = null;
      return { item, attempt, status: 'succeeded', nextAttemptAt: null };
    }
    this.health.failuresInRow++;
    this.health.failingSince ??= attempt.at;
    if (item.message === null || item.attempts + 1 >= this.row.max_attempts) {
      return { item, attempt, status: 'dead_letter', nextAttemptAt: null };
    }
    const nextAttemptAt = this.context.clock.now() + this.row.retry_delay_seconds * 1000;
    return { item, attempt, status: 'pending', nextAttemptAt };
  }

  /** While the database is away what was done waits to be written: dropping it would repeat the delivery. */
  private async persist(work: () => Promise<void>): Promise<void> {
    for (let wait = 50; ; wait = Math.min(2000, wait * 2)) {
      if (this.lost) throw new LaneLostError();
      try {
        return await work();
      } catch (error) {
        if (!isDatabaseUnavailable(error) || this.interrupted) throw error;
        await new Promise<void>((resolve) => setTimeout(resolve, wait));
      }
    }
  }
}
