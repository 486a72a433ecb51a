import { setMaxListeners } from 'node:events';
import { Inject, Injectable } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';
import { CLOCK, type Clock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { isDatabaseUnavailable } from '../../platform/database/database';
import { DISPATCH_QUEUE, type JobQueue, type ReadyGroup } from '../../platform/queue/job-queue';
import { MessageWriter } from '../record/message-writer';
import type { ClaimedMessage, DispatchOutcome } from '../record/message.types';
import { AttemptRunner } from './attempt-runner';
import { ClaimStore } from './claim-store';
import { LaneGate } from './lane-gate';
import { ReadyLists } from './ready-lists';

/** Ids kept in memory for one tenant, lane and priority; the rest stays in PostgreSQL until there is room. */
const PER_LIST = 1_000;
/** Most messages of one claim statement. */
const CLAIM_BATCH = 200;
/** Claims of a size in between are followed by a short wait: each has a fixed cost (a round trip, a sync of the log). */
const BUSY_CLAIM = 3;
const FULL_CLAIM = 48;
const CLAIM_LINGER_MS = 8;
const SWEEP_MS = 500;
const BEAT_MS = 2_000;
/** Without a heartbeat for so long, other processes may soon take this one for dead, so it begins nothing. Well below their patience. */
const UNSURE_MS = 8_000;
/** A claim that failed is given back this much later: a younger one in our name is another, made since. */
const SETTLED_SECONDS = 1;
/** A claim that this process does not know of (its answer got lost) is given back after this time. */
const LOST_CLAIM_SECONDS = 15;
/** The last part of the places for calls is for tenants with at most so large a part of them in hand: one whose provider hangs must not have them all. */
const SPARE_PART = 1 / 5;
const SMALL_PART = 1 / 20;
/** Looking for such claims reads the whole table of waiting messages, so it is done in each eighth beat only. */
const LOST_CLAIM_BEATS = 8;

/**
 * The worker's loop: takes hints, claims, sends, writes. PostgreSQL says what is to be done; everything in memory is a bounded view of it, so
 * losing the queue or the process loses nothing.
 *
 * One claim is one attempt. A claimed message counts as "in the provider's hands, perhaps" until its outcome is committed, so a process that dies
 * leaves attempts of unknown fate, never a second send in silence.
 */
@Injectable()
export class Dispatcher {
  readonly holder = newId('worker');
  private readonly lists = new ReadyLists(PER_LIST);
  private readonly inHand = new Map<string, Promise<void>>();
  /** How many each tenant has in hand or in the claim under way. */
  private readonly perTenant = new Map<string, number>();
  /** Ids of claims that failed, and when: they may be held in our name, and nothing was begun for them. */
  private readonly unanswered = new Map<string, number>();
  /** Ids of the claim under way: it may be committed already, and its answer, which begins the attempts, is still to come. */
  private asking: ReadonlySet<string> = new Set();
  private readonly abort = new AbortController();
  private readonly sweeper: Periodic;
  private readonly refill: Periodic;
  private readonly heart: Periodic;
  private claiming: Promise<void> | undefined;
  private pumpTimer: NodeJS.Timeout | undefined;
  /** When the timer fires, by the monotonic clock. */
  private pumpAt = 0;
  private running = false;
  private beats = 0;
  /** When the last heartbeat that arrived was sent; by a clock that also runs while the process is frozen. */
  private beatAt = 0;

  constructor(
    private readonly claims: ClaimStore,
    private readonly runner: AttemptRunner,
    private readonly writer: MessageWriter,
    private readonly gate: LaneGate,
    @Inject(DISPATCH_QUEUE) private readonly queue: JobQueue<ReadyGroup[]>,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.sweeper = new Periodic('dispatch sweep', SWEEP_MS, () => this.sweep(), logger);
    this.refill = new Periodic('dispatch refill', SWEEP_MS, () => this.readOn(), logger);
    this.heart = new Periodic('dispatch heartbeat', BEAT_MS, () => this.beat(), logger);
    writer.holder = this.holder;
    // Each call under way listens to it.
    setMaxListeners(0, this.abort.signal);
  }

  /** Messages that this process has in hand. */
  get inFlight(): number {
    return this.inHand.size;
  }

  /** Begins to take work. The heartbeat is there before the first claim. */
  async start(): Promise<void> {
    await this.sayAlive();
    this.running = true;
    this.heart.start();
    this.queue.consume(
      (groups) => {
        this.list(groups);
        this.pump();
      },
      // What was accepted here is sent from here, while this process has little to do; other processes are asked to help with the rest.
      (groups) =>
        this.running &&
        this.lists.size < 2 * PER_LIST &&
        !groups.some(({ clientId, lane }) => this.gate.isElsewhere(clientId, lane)),
    );
    this.refill.start();
    this.sweeper.start({ now: true });
  }

  /**
   * Takes no more work, waits for what is in hand for a while, then gives up on it: calls still under way then leave attempts of unknown
   * fate, as after a crash.
   * @param graceMs longest wait
   */
  async stop(graceMs = 10_000): Promise<void> {
    if (!this.running) return;
    this.running = false;
    clearTimeout(this.pumpTimer);
    await Promise.all([this.sweeper.stop(), this.refill.stop()]);
    await this.claiming;
    const all = Promise.allSettled(this.inHand.values());
    const timer = setTimeout(() => this.abort.abort(), graceMs);
    await all;
    clearTimeout(timer);
    await this.writer.drain();
    await this.heart.stop();
    await this.claims
      .leave(this.holder)
      .catch((error: unknown) => this.logger.warn({ err: error }, 'worker not signed off'));
  }

  /** Notes what is ready here. What only another process can send is found by that one's sweep. */
  private list(groups: readonly ReadyGroup[]): void {
    for (const { clientId, lane, priority, ids } of groups) {
      if (!this.gate.isElsewhere(clientId, lane)) this.lists.add(clientId, lane, priority, ids);
    }
  }

  private pump(): void {
    if (!this.running) return;
    if (this.lists.wantsMore()) this.refill.wake();
    if (this.claiming) return;
    let free = this.config.workerConcurrency - this.inHand.size;
    if (free <= 0) return;
    const taken = this.lists.take(Math.min(free, CLAIM_BATCH), (clientId, lane) => {
      if (!this.mayTake(clientId, free) || !this.gate.enter(clientId, lane)) return false;
      free -= 1;
      this.perTenant.set(clientId, (this.perTenant.get(clientId) ?? 0) + 1);
      return true;
    });
    if (taken.length === 0) {
      this.pumpWhenGateOpens();
      return;
    }
    this.claiming = this.claim(taken).then(async () => {
      // While busy, a little patience makes one claim of several small ones; a lone message is not kept waiting.
      if (taken.length >= BUSY_CLAIM && taken.length < FULL_CLAIM)
        await new Promise((resolve) => setTimeout(resolve, CLAIM_LINGER_MS));
      this.claiming = undefined;
      this.pump();
    });
  }

  /** Whether a tenant may have one more of the places that are free. */
  private mayTake(clientId: string, free: number): boolean {
    const { workerConcurrency: all } = this.config;
    return free > all * SPARE_PART || (this.perTenant.get(clientId) ?? 0) <= all * SMALL_PART;
  }

  private letGo(clientId: string): void {
    const left = this.perTenant.get(clientId)! - 1;
    if (left > 0) this.perTenant.set(clientId, left);
    else this.perTenant.delete(clientId);
  }

  private async claim(taken: ReadonlyArray<{ id: string; clientId: string; lane: string }>): Promise<void> {
    let claimed: ClaimedMessage[] = [];
    const ids = taken.map((message) => message.id);
    this.asking = new Set(ids);
    try {
      claimed = await this.claims.claim(this.holder, ids);
    } catch (error) {
      this.asking = new Set();
      this.logger.warn({ err: error }, 'claim failed');
      // The answer may have been lost after the commit. The next heartbeat gives back what was claimed; the sweep finds the rest again.
      for (const { id } of taken) this.unanswered.set(id, performance.now());
      // Going on at once would only spin.
      await new Promise((resolve) => setTimeout(resolve, SWEEP_MS).unref());
    }
    if (claimed.length > 0 && performance.now() - this.beatAt > UNSURE_MS) {
      // The process was frozen (a suspended machine, say) with the claim under way: what it holds may be another's by now.
      for (const { id } of claimed) this.unanswered.set(id, performance.now());
      claimed = [];
      this.heart.wake();
    }
    const mine = new Map(claimed.map((message) => [message.id, message]));
    for (const { id, clientId, lane } of taken) {
      const message = mine.get(id);
      if (message) this.inHand.set(id, this.handle(message, lane));
      else {
        this.lists.forget(id);
        this.letGo(clientId);
        this.gate.leave(lane, { unused: true });
      }
    }
    this.asking = new Set();
  }

  private async handle(message: ClaimedMessage, lane: string): Promise<void> {
    const outcome = await this.runner.run(message, this.abort.signal);
    // An expired message must not use up the rate of those behind it, or all of a long backlog would expire.
    this.gate.leave(lane, {
      unused: outcome.attempt === undefined && outcome.next.type === 'final' && message.unknown === null,
    });
    await this.write(outcome);
    this.inHand.delete(message.id);
    this.letGo(message.clientId);
    this.lists.forget(message.id);
    if (outcome.next.type === 'requeue') this.follow(outcome);
    this.pump();
  }

  /**
   * Writes until it is written: the provider may have taken the message, so its outcome must not be dropped while the database is away. One that
   * the database refuses again and again stays in hand until this process ends; then it counts as an attempt of unknown fate.
   */
  private async write(outcome: DispatchOutcome): Promise<void> {
    for (let delay = 50; ; delay = Math.min(delay * 2, 2_000)) {
      try {
        await this.writer.apply({ kind: 'dispatch', outcome });
        return;
      } catch (error) {
        if (!isDatabaseUnavailable(error)) {
          this.logger.error({ err: error, messageId: outcome.message.id }, 'outcome refused by the database');
        }
        if (this.abort.signal.aborted) return;
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
  }

  private follow(outcome: DispatchOutcome): void {
    if (outcome.next.type !== 'requeue') return;
    const { requeue } = outcome.next;
    const { message } = outcome;
    const add = () => {
      if (!this.running) return;
      this.list([{ clientId: message.clientId, lane: requeue.lane, priority: message.priority, ids: [message.id] }]);
      this.pump();
    };
    const wait = requeue.dueAt - this.clock.now();
    if (wait <= 0) add();
    // What is due later is found by the sweep; a near time is worth a timer, since the sweep is half a second coarse.
    else if (wait < 5_000) setTimeout(add, wait).unref();
  }

  /** Reads on where a list had to drop ids and is running low. */
  private async readOn(): Promise<void> {
    for (const place of this.lists.takeOverflowed()) {
      const ids = await this.claims.readLane(place.clientId, place.lane, place.priority, 2 * PER_LIST);
      this.lists.add(place.clientId, place.lane, place.priority, ids);
    }
    this.pump();
  }

  private async sweep(): Promise<void> {
    this.list(await this.claims.sweep(PER_LIST / 2, this.gate.ownLanes()));
    this.pump();
  }

  private async beat(): Promise<void> {
    await this.sayAlive();
    await this.giveBackUnanswered();
    this.beats += 1;
    if (this.beats % LOST_CLAIM_BEATS !== 0) return;
    const held = await this.claims.heldFor(this.holder, LOST_CLAIM_SECONDS);
    const lost = held.filter((id) => !this.inHand.has(id) && !this.asking.has(id));
    if (lost.length > 0) await this.claims.release(this.holder, lost, LOST_CLAIM_SECONDS);
  }

  private async sayAlive(): Promise<void> {
    const now = performance.now();
    await this.claims.beat(this.holder);
    this.beatAt = now;
  }

  private async giveBackUnanswered(): Promise<void> {
    const before = performance.now() - SETTLED_SECONDS * 1000;
    const ids = [...this.unanswered].flatMap(([id, at]) => (at < before && !this.asking.has(id) ? [id] : []));
    if (ids.length === 0) return;
    await this.claims.release(
      this.holder,
      ids.filter((id) => !this.inHand.has(id)),
      SETTLED_SECONDS,
    );
    for (const id of ids) this.unanswered.delete(id);
  }

  private pumpWhenGateOpens(): void {
    const wait = this.gate.opensIn();
    if (wait === undefined) return;
    const at = performance.now() + Math.max(1, wait);
    // A lane that opens sooner must not wait for the one that the timer was set for.
    if (this.pumpTimer && this.pumpAt <= at) return;
    clearTimeout(this.pumpTimer);
    this.pumpAt = at;
    this.pumpTimer = setTimeout(
      () => {
        this.pumpTimer = undefined;
        this.pump();
      },
      Math.max(1, wait),
    );
    this.pumpTimer.unref();
  }
}
