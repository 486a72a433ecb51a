import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CLOCK, type Clock } from '../../kernel/clock';
import { GroupCommit } from '../../kernel/group-commit';
import { messageIdTime } from '../../kernel/ids';
import { Database, type Transaction, isDatabaseUnavailable, isDeadlock } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import { EventSignal } from '../../platform/events/event-store';
import { OutcomeRecorder } from '../../gateway/budget/outcome-recorder';
import { applyOutcome, applyReport, attemptOf, draftOf, isChanged, stateAfter, type Draft } from './message-draft';
import { reasonOfFailure, maySuppress, suppressedAddress, type NewSuppression } from '../suppression/suppression';
import { SuppressionDirectory } from '../suppression/suppression-directory';
import { feedSuppressions } from '../suppression/suppression-statements';
import { MessageSignal } from './message-signal';
import {
  HELD,
  LOCK_STATES,
  READ_STATES,
  REQUEUE,
  WRITE,
  requeueParameters,
  writeParameters,
} from './message-statements';
import type { DispatchOutcome, MessageState, ReportedStatus } from './message.types';

/** A change to one message: what a worker learnt, or what a provider reported. */
export type MessageChange = { kind: 'dispatch'; outcome: DispatchOutcome } | { kind: 'report'; report: ReportedStatus };

/** Most changes in one flush. */
const MAX_BATCH = 500;
/** An outcome that comes while others do may wait this long for them, milliseconds. */
const LINGER_MS = 8;
/** Messages whose state is remembered after a write: reports come within seconds of a send. About 400 bytes each. */
const MOST_STATES = 20_000;

/** What a batch of changes did, once it is committed. */
export interface AppliedChanges {
  /** One a change: whether its message was there (and, for a requeue, still held). */
  results: boolean[];
  drafts: readonly Draft[];
}

/** Changes that are worked out and not written yet. */
export interface PreparedChanges {
  /** One a change: whether its message is there and is the tenant's. */
  known: boolean[];
  /** The messages that change; see `WRITE_CTES`. */
  drafts: Draft[];
}

/**
 * The only writer of a message after its acceptance. Changes that come while a flush is in flight are written together by the next one.
 *
 * Usually one statement does it, without reading first: what is written says which version of the message it was worked out from, which a worker
 * knows from its claim and a report from this writer's last write. A message that somebody else changed meanwhile, and a change that depends on
 * who holds the queue row, goes the longer way: lock, work out, write.
 */
@Injectable()
export class MessageWriter {
  private readonly commits = new GroupCommit<MessageChange, boolean>(
    (changes) => this.flush(changes),
    MAX_BATCH,
    LINGER_MS,
  );
  private readonly states = new LRUCache<string, MessageState>({ max: MOST_STATES });

  /** The claim holder that this process writes under; set by the dispatcher. */
  holder = '';

  constructor(
    private readonly database: Database,
    private readonly eventSignal: EventSignal,
    private readonly messageSignal: MessageSignal,
    private readonly suppressions: SuppressionDirectory,
    private readonly outcomes: OutcomeRecorder,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Applies a change and resolves when it is committed.
   * @returns for a requeue: whether this process still held the message; else whether the message exists
   */
  apply(change: MessageChange): Promise<boolean> {
    return this.commits.add(change);
  }

  /** Resolves when nothing waits to be written. */
  drain(): Promise<void> {
    return this.commits.drain();
  }

  /** What this writer remembers of a message; it may have been changed elsewhere since. */
  peek(messageId: string): MessageState | undefined {
    return this.states.get(messageId);
  }

  /** Takes a state that somebody read, unless a newer one is known. */
  remember(state: MessageState): void {
    const kept = this.states.get(state.id);
    if (!kept || kept.version < state.version) this.states.set(state.id, state);
  }

  /** Works out changes that need no lock, from states that may be old. Write them with `WRITE_CTES`, then call {@link settle}. */
  async prepare(changes: readonly MessageChange[]): Promise<PreparedChanges> {
    const states = await this.statesFor(changes);
    const drafts = new Map<string, Draft>();
    const known = changes.map((change) => {
      const id = idOf(change);
      const state = states.get(id);
      if (!state || !isOwn(change, state)) return false;
      let draft = drafts.get(id);
      if (!draft) drafts.set(id, (draft = draftOf(state)));
      this.applyTo(draft, change);
      return true;
    });
    return { known, drafts: [...drafts.values()].filter(isChanged) };
  }

  /**
   * After the commit of prepared changes: remembers and announces what was written.
   * @param written ids that `WRITE_CTES` answered
   * @returns the ids that somebody else had changed: nothing of theirs was written
   */
  settle(drafts: readonly Draft[], written: ReadonlySet<string>): Set<string> {
    const stale = new Set<string>();
    const done = drafts.filter((draft) => {
      if (written.has(draft.row.id)) return true;
      stale.add(draft.row.id);
      this.states.delete(draft.row.id);
      return false;
    });
    this.announce(done);
    return stale;
  }

  /** Applies changes inside a transaction of the caller, who calls {@link announce} with the drafts after the commit. */
  async applyIn(tx: Transaction, changes: readonly MessageChange[], holder = this.holder): Promise<AppliedChanges> {
    const rows = await tx.query<MessageState>(LOCK_STATES, idParameters(changes.map(idOf)));
    const drafts = new Map(rows.map((row) => [row.id, draftOf(row)]));
    const lost = await this.takenBack(tx, changes, holder);
    const results = changes.map((change) => {
      const draft = drafts.get(idOf(change));
      if (!draft || !isOwn(change, draft.row)) return false;
      if (change.kind === 'dispatch' && lost.has(draft.row.id)) draft.attempts.push(...attemptOf(change.outcome));
      else this.applyTo(draft, change);
      return true;
    });
    const list = [...drafts.values()];
    await tx.execute(WRITE, writeParameters(list.filter(isChanged)));
    await feedSuppressions(tx, list.flatMap(suppressionBy));
    const waiting = list.filter((draft) => draft.requeue !== null && !draft.leaveQueue);
    if (waiting.length > 0) {
      const held = await tx.query<{ message_id: string }>(REQUEUE, requeueParameters(waiting, holder));
      const heldIds = new Set(held.map((row) => row.message_id));
      changes.forEach((change, index) => {
        const draft = drafts.get(idOf(change));
        if (draft && draft.requeue && !draft.leaveQueue) results[index] = heldIds.has(draft.row.id);
      });
    }
    return { results, drafts: list.filter(isChanged) };
  }

  /** Tells who waits in this process what a committed batch changed. */
  announce(drafts: readonly Draft[]): void {
    if (drafts.length === 0) return;
    const clientIds = new Set<string>();
    for (const draft of drafts) {
      this.states.set(draft.row.id, stateAfter(draft));
      if (draft.events.length > 0) clientIds.add(draft.row.client_id);
      for (const { clientId, channel, recipient } of suppressionBy(draft))
        this.suppressions.added(clientId, channel, recipient);
      this.noteEnd(draft);
    }
    if (clientIds.size > 0) this.eventSignal.committed(clientIds);
    this.messageSignal.changed(drafts.map((draft) => draft.row.id));
  }

  /** What a provider reports of a message counts for its gateway's error budget. */
  private noteEnd({ row, status, configId }: Draft): void {
    const gateway = configId ?? row.config_id;
    if (status === row.status || gateway === null) return;
    const arrived = status === 'delivered' || status === 'read';
    if (arrived ? row.status !== 'delivered' : status === 'undelivered' || status === 'failed')
      this.outcomes.reported(row.client_id, gateway, arrived);
  }

  private async flush(changes: MessageChange[], again = false): Promise<Array<boolean | Error>> {
    try {
      return await this.write(changes);
    } catch (error) {
      if (isDatabaseUnavailable(error)) throw error;
      // No change is at fault: one by one they would take hundreds of times as long.
      if (isDeadlock(error) && !again) return this.flush(changes, true);
      // One change that PostgreSQL refuses must not take its neighbours with it.
      if (changes.length === 1) return [error as Error];
      const results: Array<boolean | Error> = [];
      for (const change of changes) results.push(...(await this.flush([change])));
      return results;
    }
  }

  private async write(changes: readonly MessageChange[]): Promise<boolean[]> {
    const locking = new Set(changes.filter(needsLock).map(idOf));
    const quick = changes.filter((change) => !locking.has(idOf(change)));
    const results = new Map<MessageChange, boolean>();
    if (quick.length > 0) {
      const { known, drafts } = await this.prepare(quick);
      quick.forEach((change, index) => results.set(change, known[index]!));
      if (drafts.length > 0) {
        const written = await this.database.query<{ id: string }>(WRITE, writeParameters(drafts));
        for (const id of this.settle(drafts, new Set(written.map((row) => row.id)))) locking.add(id);
      }
    }
    if (locking.size > 0) {
      const rest = changes.filter((change) => locking.has(idOf(change)));
      const applied = await this.database.flush((tx) => this.applyIn(tx, rest));
      this.announce(applied.drafts);
      rest.forEach((change, index) => results.set(change, applied.results[index]!));
    }
    return changes.map((change) => results.get(change)!);
  }

  private applyTo(draft: Draft, change: MessageChange): void {
    if (change.kind === 'dispatch') applyOutcome(draft, change.outcome, this.clock.now());
    else applyReport(draft, change.report);
  }

  /** The newest states that are known here: of this writer's own last write, of a worker's claim, else read. */
  private async statesFor(changes: readonly MessageChange[]): Promise<Map<string, MessageState>> {
    const states = new Map<string, MessageState>();
    const missing = new Set<string>();
    for (const change of changes) {
      const id = idOf(change);
      if (states.has(id)) continue;
      const kept = this.states.get(id);
      const claimed = change.kind === 'dispatch' ? change.outcome.message.state : undefined;
      const state = kept && claimed ? (kept.version > claimed.version ? kept : claimed) : (kept ?? claimed);
      if (state) states.set(id, state);
      else missing.add(id);
    }
    if (missing.size > 0) {
      for (const row of await this.database.query<MessageState>(READ_STATES, idParameters(missing)))
        states.set(row.id, row);
    }
    return states;
  }

  /**
   * Messages whose worker wants to end them without success and does not hold them any more: it was silent for so long that another one took
   * over and may be sending by now. That one decides.
   */
  private async takenBack(
    tx: Transaction,
    changes: readonly MessageChange[],
    holder: string,
  ): Promise<ReadonlySet<string>> {
    const ended = changes.flatMap((change) =>
      change.kind === 'dispatch' && change.outcome.next.type === 'final' ? [change.outcome.message.id] : [],
    );
    if (ended.length === 0) return new Set();
    const held = await tx.query<{ message_id: string }>(HELD, [textArray(ended), holder]);
    const mine = new Set(held.map((row) => row.message_id));
    return new Set(ended.filter((id) => !mine.has(id)));
  }
}

/** A requeue and an end without success depend on who holds the queue row; what puts somebody on a list goes with it in one transaction. */
function needsLock(change: MessageChange): boolean {
  if (change.kind === 'report') return maySuppress(change.report.error?.code);
  return change.outcome.next.type !== 'sent';
}

/** The recipient, or the one of several, of whom the failure that a draft notes says that it wants, or can get, nothing more. */
function suppressionBy({ row, error }: Draft): NewSuppression[] {
  const bounced = error?.bounced;
  const reason = bounced === undefined ? reasonOfFailure(row.channel, error?.code) : 'hard_bounce';
  const recipient = reason && suppressedAddress(row.channel, bounced ?? row.recipient);
  if (!reason || !recipient) return [];
  const detail = error!.providerCode ?? error!.code;
  const channel = row.channel as NewSuppression['channel'];
  return [{ clientId: row.client_id, channel, recipient, reason, source: 'provider', detail, messageId: row.id }];
}

/** A report counts for messages of the tenant whose config it came for. */
function isOwn(change: MessageChange, state: MessageState): boolean {
  return change.kind === 'dispatch' || change.report.clientId === state.client_id;
}

function idOf(change: MessageChange): string {
  return change.kind === 'dispatch' ? change.outcome.message.id : change.report.messageId;
}

function idParameters(ids: Iterable<string>): unknown[] {
  const times = new Map<string, number>();
  for (const id of ids) {
    const at = messageIdTime(id);
    if (at !== null) times.set(id, at);
  }
  return [textArray([...times.keys()]), plainArray([...times.values()])];
}
