import { Inject, Injectable } from '@nestjs/common';
import type { MessageStatus } from '../../kernel/channel';
import { CLOCK, type Clock } from '../../kernel/clock';
import { GroupCommit } from '../../kernel/group-commit';
import { messageIdTime, newId } from '../../kernel/ids';
import { Database, type Transaction, isDatabaseUnavailable, statement } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import { EventSignal, type EventType } from '../../platform/events/event-store';
import { advances, isFinal, statusOfParts } from './message-state';
import { MessageSignal } from './message-signal';
import type { AttemptRecord, DispatchOutcome, ReportedStatus, Requeue } from './message.types';

/** A change to one message: what a worker learnt, or what a provider reported. */
export type MessageChange = { kind: 'dispatch'; outcome: DispatchOutcome } | { kind: 'report'; report: ReportedStatus };

/** Most changes in one transaction. */
const MAX_BATCH = 500;

interface LockedRow {
  id: string;
  client_id: string;
  channel: string;
  status: MessageStatus;
  recipient: string;
  reference: string | null;
  metadata: Record<string, string> | null;
  config_id: string | null;
  external_id: string | null;
  parts: Record<string, MessageStatus> | null;
  error_code: string | null;
}

/** A message in memory while a batch of changes is applied to it. */
interface Draft {
  row: LockedRow;
  status: MessageStatus;
  gateway: string | null;
  configId: string | null;
  externalId: string | null;
  externalIds: string[];
  parts: Record<string, MessageStatus> | null;
  attempts: AttemptRecord[];
  cost: { amount: string; currency: string } | null;
  segments: number | null;
  error: { code: string; message: string } | null;
  clearError: boolean;
  possibleDuplicate: boolean;
  requeue: Requeue | null;
  leaveQueue: boolean;
  events: Array<{ type: EventType; occurredAt: number; data: object; gateway: string | null }>;
}

// NO KEY UPDATE: the ids never change. Ordered, so that two processes that lock the same messages cannot wait for each other.
const LOCK = statement(
  'messages.lock',
  `SELECT m.id, m.client_id, m.channel, m.status, m.recipient, m.reference, m.metadata,
          m.config_id, m.external_id, m.parts, m.error_code
   FROM unnest($1::text[], $2::float8[]) AS i(id, at)
   JOIN messages m ON m.id = i.id AND m.created_at = to_timestamp(i.at / 1000.0)
   ORDER BY m.id FOR NO KEY UPDATE OF m`,
);

const UPDATE = statement(
  'messages.update',
  `WITH input AS (
     SELECT * FROM unnest($1::text[], $2::float8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[], $9::text[], $10::text[],
                          $11::int[], $12::text[], $13::text[], $14::bool[], $15::bool[], $16::bool[])
       AS i(id, at, status, gateway, config_id, external_id, parts, attempts, cost_amount, cost_currency, segments, error_code, error_message,
            clear_error, possible_duplicate, leave_queue)
   ), changed AS (
     UPDATE messages m SET
       status = i.status,
       gateway = coalesce(i.gateway, m.gateway),
       config_id = coalesce(i.config_id, m.config_id),
       external_id = coalesce(i.external_id, m.external_id),
       parts = coalesce(i.parts::jsonb, m.parts),
       -- An outcome comes twice when the answer to its commit was lost.
       attempts = CASE WHEN i.attempts IS NULL OR m.attempts @> i.attempts THEN m.attempts ELSE m.attempts || i.attempts END,
       cost_amount = coalesce(i.cost_amount::numeric, m.cost_amount),
       cost_currency = coalesce(i.cost_currency, m.cost_currency),
       segments = coalesce(i.segments, m.segments),
       error_code = CASE WHEN i.clear_error THEN NULL ELSE coalesce(i.error_code, m.error_code) END,
       error_message = CASE WHEN i.clear_error THEN NULL ELSE coalesce(i.error_message, m.error_message) END,
       possible_duplicate = m.possible_duplicate OR i.possible_duplicate,
       updated_at = now()
     FROM input i WHERE m.id = i.id AND m.created_at = to_timestamp(i.at / 1000.0)
   ), mapped AS (
     INSERT INTO external_ids (config_id, external_id, message_id)
     SELECT * FROM unnest($17::text[], $18::text[], $19::text[]) ON CONFLICT DO NOTHING
   ), told AS (
     INSERT INTO events (id, created_at, client_id, type, message_id, occurred_at, gateway, data)
     SELECT e.id, now(), e.client_id, e.type, e.message_id, to_timestamp(e.at / 1000.0), e.gateway, e.data
     FROM unnest($20::text[], $21::text[], $22::text[], $23::text[], $24::float8[], $25::text[], $26::jsonb[])
       WITH ORDINALITY AS e(id, client_id, type, message_id, at, gateway, data, n) ORDER BY e.n
   )
   DELETE FROM message_queue q USING input i WHERE i.leave_queue AND q.message_id = i.id`,
);

// Only what this worker still holds: a claim that was taken back in the meantime belongs to who took it.
const REQUEUE = statement(
  'message_queue.requeue',
  `UPDATE message_queue q SET
     claimed_by = NULL, claimed_at = NULL, lane = i.lane, due_at = to_timestamp(i.due / 1000.0), waiting_on = i.waiting_on, rounds = i.rounds,
     tried = ARRAY(SELECT jsonb_array_elements_text(i.tried)), unknown_since = to_timestamp(i.unknown_since / 1000.0), unknown_config = i.unknown_config,
     reconcile_until = to_timestamp(i.reconcile_until / 1000.0)
   FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::int[], $7::jsonb[], $8::float8[], $9::text[], $10::float8[])
     AS i(id, holder, lane, due, waiting_on, rounds, tried, unknown_since, unknown_config, reconcile_until)
   WHERE q.message_id = i.id AND q.claimed_by = i.holder
   RETURNING q.message_id`,
);

const HELD = statement(
  'message_queue.held',
  'SELECT message_id FROM message_queue WHERE message_id = ANY($1::text[]) AND claimed_by = $2 FOR UPDATE',
);

/**
 * The only writer of a message after its acceptance. Changes that come while a transaction is in flight are written together by the next one;
 * one writer a process keeps the events of a message in the order in which they happened.
 *
 * Each change is applied by {@link advances}; message, attempts, queue and events change in one transaction.
 */
@Injectable()
export class MessageWriter {
  private readonly commits = new GroupCommit<MessageChange, boolean>((changes) => this.flush(changes), MAX_BATCH);

  /** The claim holder that this process writes under; set by the dispatcher. */
  holder = '';

  constructor(
    private readonly database: Database,
    private readonly eventSignal: EventSignal,
    private readonly messageSignal: MessageSignal,
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

  /** Applies changes inside a transaction of the caller, who calls {@link announce} with the answer after the commit. */
  async applyIn(tx: Transaction, changes: readonly MessageChange[], holder = this.holder): Promise<AppliedChanges> {
    const targets = new Map<string, number>();
    for (const change of changes) {
      const id = idOf(change);
      const at = messageIdTime(id);
      if (at !== null) targets.set(id, at);
    }
    const rows = await tx.query<LockedRow>(LOCK, [textArray([...targets.keys()]), plainArray([...targets.values()])]);
    const drafts = new Map(rows.map((row) => [row.id, draftOf(row)]));
    const lost = await this.takenBack(tx, changes, holder);
    const known = changes.map((change) => {
      const draft = drafts.get(idOf(change));
      if (!draft) return false;
      if (change.kind === 'report' && change.report.clientId !== draft.row.client_id) return false;
      if (change.kind === 'dispatch' && lost.has(draft.row.id)) draft.attempts.push(...attemptOf(change.outcome));
      else if (change.kind === 'dispatch') applyOutcome(draft, change.outcome, this.clock.now());
      else applyReport(draft, change.report);
      return true;
    });
    const list = [...drafts.values()];
    await tx.execute(UPDATE, updateParameters(list));
    const waiting = list.filter((draft) => draft.requeue !== null && !draft.leaveQueue);
    if (waiting.length > 0) {
      const held = await tx.query<{ message_id: string }>(REQUEUE, requeueParameters(waiting, holder));
      const heldIds = new Set(held.map((row) => row.message_id));
      for (let i = 0; i < changes.length; i++) {
        const draft = drafts.get(idOf(changes[i]!));
        if (draft && draft.requeue && !draft.leaveQueue) known[i] = heldIds.has(draft.row.id);
      }
    }
    return {
      results: known,
      clientIds: new Set(list.filter((draft) => draft.events.length > 0).map((draft) => draft.row.client_id)),
      messageIds: list.map((draft) => draft.row.id),
    };
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

  /** Tells who waits in this process what a committed batch changed. */
  announce(applied: AppliedChanges): void {
    if (applied.clientIds.size > 0) this.eventSignal.committed(applied.clientIds);
    this.messageSignal.changed(applied.messageIds);
  }

  private async flush(changes: MessageChange[]): Promise<Array<boolean | Error>> {
    try {
      const applied = await this.database.flush((tx) => this.applyIn(tx, changes));
      this.announce(applied);
      return applied.results;
    } catch (error) {
      if (isDatabaseUnavailable(error)) throw error;
      // One change that PostgreSQL refuses must not take its neighbours with it.
      if (changes.length === 1) return [error as Error];
      const results: Array<boolean | Error> = [];
      for (const change of changes) results.push(...(await this.flush([change])));
      return results;
    }
  }
}

export interface AppliedChanges {
  /** One a change: whether its message was there (and, for a requeue, still held). */
  results: boolean[];
  clientIds: Set<string>;
  messageIds: string[];
}

function idOf(change: MessageChange): string {
  return change.kind === 'dispatch' ? change.outcome.message.id : change.report.messageId;
}

function draftOf(row: LockedRow): Draft {
  return {
    row,
    status: row.status,
    gateway: null,
    configId: null,
    externalId: null,
    externalIds: [],
    parts: null,
    attempts: [],
    cost: null,
    segments: null,
    error: null,
    clearError: false,
    possibleDuplicate: false,
    requeue: null,
    leaveQueue: false,
    events: [],
  };
}

function attemptOf(outcome: DispatchOutcome): AttemptRecord[] {
  return outcome.attempt ? [outcome.attempt] : [];
}

function applyOutcome(draft: Draft, outcome: DispatchOutcome, now: number): void {
  draft.attempts.push(...attemptOf(outcome));
  if (outcome.possibleDuplicate) draft.possibleDuplicate = true;
  const { next } = outcome;
  if (next.type === 'requeue') {
    // A report that came meanwhile has settled the message; then there is nothing to wait for.
    if (isOpen(draft.status)) draft.requeue = next.requeue;
    else draft.leaveQueue = true;
    return;
  }
  draft.leaveQueue = true;
  if (next.type === 'final') {
    setStatus(draft, next.status, now, { error: { code: next.errorCode, message: next.errorMessage } });
    return;
  }
  draft.gateway = next.gateway;
  draft.configId = next.configId;
  draft.externalId = next.externalId;
  draft.externalIds = next.externalIds ?? [next.externalId];
  if (draft.externalIds.length > 1) {
    const early = draft.row.parts ?? {};
    draft.parts = Object.fromEntries(draft.externalIds.map((id) => [id, early[id] ?? ('sent' as MessageStatus)]));
  }
  if (next.cost) draft.cost = next.cost;
  if (next.segments !== undefined) draft.segments = next.segments;
  setStatus(draft, next.status, now, { gateway: next.gateway, externalId: next.externalId });
}

function applyReport(draft: Draft, report: ReportedStatus): void {
  const configId = draft.configId ?? draft.row.config_id;
  const failure = report.status === 'undelivered' || report.status === 'failed';
  // After a failover the message is with another gateway: what became of the first try matters only when it was delivered after all.
  if (failure && configId !== null && configId !== report.configId) return;
  let status = report.status;
  const parts = draft.parts ?? draft.row.parts;
  if (parts && report.externalId !== undefined && report.externalId in parts && configId === report.configId) {
    const before = parts[report.externalId]!;
    draft.parts = { ...parts, [report.externalId]: advances(before, status) ? status : before };
    status = statusOfParts(draft.parts);
  }
  if (report.cost) draft.cost = report.cost;
  if (report.segments !== undefined) draft.segments = report.segments;
  if (configId === null) {
    // The report overtook the provider's answer, or settles an attempt whose fate was open.
    draft.gateway = report.gateway;
    draft.configId = report.configId;
    if (report.externalId !== undefined) {
      draft.externalId = report.externalId;
      draft.externalIds = [report.externalId];
    }
  }
  if (!advances(draft.status, status)) return;
  draft.leaveQueue = true;
  setStatus(draft, status, report.occurredAt, {
    gateway: report.gateway,
    externalId: report.externalId,
    error: failure
      ? {
          code: report.error?.code ?? report.status,
          message: report.error?.message ?? `The provider reports ${report.status}.`,
        }
      : undefined,
  });
}

/** Moves a draft forward and notes the event; does nothing when that would be a step back. */
function setStatus(
  draft: Draft,
  status: MessageStatus,
  at: number,
  detail: { gateway?: string; externalId?: string; error?: { code: string; message: string } },
): void {
  if (!advances(draft.status, status)) return;
  draft.status = status;
  draft.clearError = detail.error === undefined && (status === 'delivered' || status === 'read');
  if (detail.error) draft.error = detail.error;
  const { row } = draft;
  const gateway = detail.gateway ?? draft.gateway;
  draft.events.push({
    type: `message.${status}` as EventType,
    occurredAt: at,
    gateway,
    data: {
      message_id: row.id,
      client_id: row.client_id,
      channel: row.channel,
      status,
      to: row.recipient,
      ...(gateway ? { gateway } : {}),
      ...((detail.externalId ?? draft.externalId ?? row.external_id)
        ? { external_id: detail.externalId ?? draft.externalId ?? row.external_id }
        : {}),
      ...(row.reference ? { reference: row.reference } : {}),
      ...(row.metadata ? { metadata: row.metadata } : {}),
      ...(detail.error ? { error_code: detail.error.code, error_message: detail.error.message } : {}),
      occurred_at: new Date(at).toISOString(),
    },
  });
}

function isOpen(status: MessageStatus): boolean {
  return !isFinal(status) && status !== 'sent';
}

function updateParameters(drafts: readonly Draft[]): unknown[] {
  const ids = drafts.flatMap((draft) =>
    draft.externalIds.map(
      (externalId) => [draft.configId ?? draft.row.config_id ?? '', externalId, draft.row.id] as const,
    ),
  );
  const events = drafts.flatMap((draft) => draft.events.map((event) => ({ event, row: draft.row })));
  return [
    textArray(drafts.map((draft) => draft.row.id)),
    plainArray(drafts.map((draft) => messageIdTime(draft.row.id))),
    textArray(drafts.map((draft) => draft.status)),
    textArray(drafts.map((draft) => draft.gateway)),
    textArray(drafts.map((draft) => draft.configId)),
    textArray(drafts.map((draft) => draft.externalId)),
    textArray(drafts.map((draft) => (draft.parts ? JSON.stringify(draft.parts) : null))),
    textArray(drafts.map((draft) => (draft.attempts.length > 0 ? JSON.stringify(draft.attempts) : null))),
    textArray(drafts.map((draft) => draft.cost?.amount)),
    textArray(drafts.map((draft) => draft.cost?.currency)),
    plainArray(drafts.map((draft) => draft.segments)),
    textArray(drafts.map((draft) => draft.error?.code)),
    textArray(drafts.map((draft) => draft.error?.message)),
    plainArray(drafts.map((draft) => draft.clearError)),
    plainArray(drafts.map((draft) => draft.possibleDuplicate)),
    plainArray(drafts.map((draft) => draft.leaveQueue)),
    textArray(ids.map(([configId]) => configId)),
    textArray(ids.map(([, externalId]) => externalId)),
    textArray(ids.map(([, , messageId]) => messageId)),
    textArray(events.map(() => newId('event'))),
    textArray(events.map(({ row }) => row.client_id)),
    textArray(events.map(({ event }) => event.type)),
    textArray(events.map(({ row }) => row.id)),
    plainArray(events.map(({ event }) => event.occurredAt)),
    textArray(events.map(({ event }) => event.gateway)),
    textArray(events.map(({ event }) => JSON.stringify(event.data))),
  ];
}

function requeueParameters(drafts: readonly Draft[], holder: string): unknown[] {
  const requeues = drafts.map((draft) => draft.requeue!);
  return [
    textArray(drafts.map((draft) => draft.row.id)),
    textArray(drafts.map(() => holder)),
    textArray(requeues.map((requeue) => requeue.lane)),
    plainArray(requeues.map((requeue) => requeue.dueAt)),
    textArray(requeues.map((requeue) => requeue.waitingOn)),
    plainArray(requeues.map((requeue) => requeue.rounds)),
    textArray(requeues.map((requeue) => JSON.stringify(requeue.tried))),
    plainArray(requeues.map((requeue) => requeue.unknown?.since)),
    textArray(requeues.map((requeue) => requeue.unknown?.configId)),
    plainArray(requeues.map((requeue) => requeue.unknown?.reconcileUntil)),
  ];
}
