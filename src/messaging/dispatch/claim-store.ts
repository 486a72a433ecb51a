import { Injectable } from '@nestjs/common';
import type { Channel, MessageStatus } from '../../kernel/channel';
import { messageIdTime } from '../../kernel/ids';
import { Database, type Transaction, statement } from '../../platform/database/database';
import { textArray } from '../../platform/database/pg-array';
import type { ReadyGroup } from '../../platform/queue/job-queue';
import type { ClaimedMessage } from '../record/message.types';
import { FreshMessages } from './fresh-messages';

interface ClaimRow {
  id: string;
  client_id: string;
  channel: Channel;
  recipient: string;
  sender: string | null;
  content: Record<string, unknown>;
  priority: number;
  provider: string | null;
  expires_at: Date;
  attempts: number;
  attempted: boolean;
  lane: string;
  rounds: number;
  tried: string[];
  unknown_since: Date | null;
  unknown_config: string | null;
  reconcile_until: Date | null;
  possible_duplicate: boolean;
  status: MessageStatus;
  reference: string | null;
  metadata: Record<string, string> | null;
  config_id: string | null;
  external_id: string | null;
  parts: Record<string, MessageStatus> | null;
  segments: number | null;
  cost_amount: string | null;
  cost_currency: string | null;
  version: number;
}

const MESSAGE_COLUMNS = `m.id, m.client_id, m.channel, m.recipient, m.sender, m.priority, m.provider, m.expires_at,
  jsonb_array_length(m.attempts) AS attempts, m.attempts @? '$[*] ? (@.outcome != "throttled")' AS attempted, m.possible_duplicate, m.status,
  m.reference, m.metadata, m.config_id, m.external_id, m.parts, m.segments, m.cost_amount, m.cost_currency, m.version`;

// `due_at` is by the clock of the process that wrote it. What waits for nothing was due then, so its clock may be ahead of PostgreSQL's by this much:
// else each such message would wait for the sweep.
const DUE = `(q.due_at <= now() OR q.waiting_on IS NULL AND q.due_at <= now() + interval '5 seconds')`;

// SKIP LOCKED: what another worker, a cancellation or a report has in hand at this moment is not ours. Only a holder that is in `workers` can
// claim, and its row stays while the claim is being made: so each claim has a holder whose death is noticed.
const claimCtes = (condition: string): string => `WITH alive AS MATERIALIZED (
     SELECT 1 FROM workers WHERE id = $1 FOR KEY SHARE
   ), free AS (
     SELECT q.message_id FROM message_queue q
     WHERE q.message_id = ANY($2::text[]) AND q.claimed_by IS NULL AND ${DUE} AND ${condition} AND EXISTS (SELECT 1 FROM alive)
     FOR UPDATE SKIP LOCKED
   ), claimed AS (
     UPDATE message_queue q SET claimed_by = $1, claimed_at = now() FROM free WHERE q.message_id = free.message_id
     RETURNING q.*
   )`;

// Whatever is put back gets another time, so a row that is due since its message was made is as it was stored, and so is its message.
const CLAIM_FRESH = statement(
  'message_queue.claim_fresh',
  `${claimCtes('q.due_at = q.message_created_at')} SELECT message_id AS id FROM claimed`,
);

const CLAIM = statement(
  'message_queue.claim',
  `${claimCtes('true')}
   SELECT ${MESSAGE_COLUMNS}, m.content, c.lane, c.rounds, c.tried, c.unknown_since, c.unknown_config, c.reconcile_until
   FROM claimed c JOIN messages m ON m.id = c.message_id AND m.created_at = c.message_created_at`,
);

// Finds each (tenant, lane, priority) with one index probe, so a long backlog of one tenant does not hide the others. Rows that just came are
// on their way through the queue; looking for them here would only repeat that. Not those of lanes that one process alone serves ($2): their
// hints may reach any process.
const SWEEP = statement(
  'message_queue.sweep',
  `WITH RECURSIVE lanes AS (
     (SELECT client_id, lane, priority FROM message_queue ORDER BY client_id, lane, priority LIMIT 1)
     UNION ALL
     SELECT n.client_id, n.lane, n.priority FROM lanes l CROSS JOIN LATERAL (
       SELECT q.client_id, q.lane, q.priority FROM message_queue q
       WHERE (q.client_id, q.lane, q.priority) > (l.client_id, l.lane, l.priority)
       ORDER BY q.client_id, q.lane, q.priority LIMIT 1) n
   )
   SELECT l.client_id, l.lane, l.priority, r.ids FROM lanes l CROSS JOIN LATERAL (
     SELECT array_agg(x.message_id ORDER BY x.due_at) AS ids FROM (
       SELECT q.message_id, q.due_at FROM message_queue q
       WHERE q.client_id = l.client_id AND q.lane = l.lane AND q.priority = l.priority AND q.due_at <= now() AND q.claimed_by IS NULL
         AND (q.waiting_on IS NOT NULL OR q.due_at <= now() - interval '2 seconds' OR q.lane = ANY($2::text[]))
       ORDER BY q.due_at LIMIT $1) x) r
   WHERE r.ids IS NOT NULL`,
);

const READ_LANE = statement(
  'message_queue.read_lane',
  `SELECT message_id FROM message_queue
   WHERE client_id = $1 AND lane = $2 AND priority = $3 AND due_at <= now() AND claimed_by IS NULL
   ORDER BY due_at LIMIT $4`,
);

/** The waiting messages in PostgreSQL: who claims which, what is ready, and whose claims died. */
@Injectable()
export class ClaimStore {
  constructor(
    private readonly database: Database,
    private readonly fresh: FreshMessages,
  ) {}

  /** Claims those of the ids that are free and due, for one holder. */
  async claim(holder: string, ids: readonly string[]): Promise<ClaimedMessage[]> {
    const kept = new Map<string, ClaimedMessage>();
    const rest: string[] = [];
    for (const id of ids) {
      const message = this.fresh.take(id);
      if (message) kept.set(id, message);
      else rest.push(id);
    }
    const [known, read] = await Promise.all([
      kept.size > 0 ? this.database.query<{ id: string }>(CLAIM_FRESH, [holder, textArray([...kept.keys()])]) : [],
      rest.length > 0 ? this.database.query<ClaimRow>(CLAIM, [holder, textArray(rest)]) : [],
    ]);
    return [...known.map(({ id }) => kept.get(id)!), ...read.map(claimedMessage)];
  }

  /**
   * What is due and unclaimed, at most `perLane` ids for each tenant, lane and priority.
   * @param ownLanes lanes whose rows are wanted as soon as they are there
   */
  async sweep(perLane: number, ownLanes: readonly string[]): Promise<ReadyGroup[]> {
    const rows = await this.database.query<{ client_id: string; lane: string; priority: number; ids: string[] }>(
      SWEEP,
      [perLane, textArray(ownLanes)],
    );
    return rows.map((row) => ({ clientId: row.client_id, lane: row.lane, priority: row.priority, ids: row.ids }));
  }

  async readLane(clientId: string, lane: string, priority: number, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ message_id: string }>(READ_LANE, [clientId, lane, priority, limit]);
    return rows.map((row) => row.message_id);
  }

  /** Gives back what a holder claimed and did not begin. Not what it claimed within the last `seconds`: that may be a new claim, just begun. */
  async release(holder: string, ids: readonly string[], seconds: number): Promise<void> {
    await this.database.execute(
      `UPDATE message_queue SET claimed_by = NULL, claimed_at = NULL
       WHERE claimed_by = $1 AND message_id = ANY($2::text[]) AND claimed_at < now() - $3 * interval '1 second'`,
      [holder, textArray(ids), seconds],
    );
  }

  /** Ids that a holder has claimed for longer than a time. */
  async heldFor(holder: string, seconds: number): Promise<string[]> {
    const rows = await this.database.query<{ message_id: string }>(
      `SELECT message_id FROM message_queue WHERE claimed_by = $1 AND claimed_at < now() - $2 * interval '1 second'`,
      [holder, seconds],
    );
    return rows.map((row) => row.message_id);
  }

  /** Says that a process lives. Called before its first claim and again and again. */
  async beat(holder: string): Promise<void> {
    this.fresh.enabled = true;
    await this.database.execute(
      `INSERT INTO workers (id, started_at, heartbeat_at) VALUES ($1, now(), now()) ON CONFLICT (id) DO UPDATE SET heartbeat_at = now()`,
      [holder],
    );
  }

  /** Signs a holder off. One that still has claims stays, so that they are taken back when it has been silent for long enough. */
  async leave(holder: string): Promise<void> {
    await this.database.transaction(async (tx) => {
      await tx.execute('SELECT 1 FROM workers WHERE id = $1 FOR UPDATE', [holder]);
      await tx.execute(
        'DELETE FROM workers WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM message_queue WHERE claimed_by = $1)',
        [holder],
      );
    });
  }

  /**
   * Holders that have not beaten for a time; all but `self` when `exclusive`, since then nobody else can be alive. While PostgreSQL was away
   * nobody could beat, so the time counts from its start at the earliest.
   */
  async deadHolders(self: string, silentSeconds: number, exclusive: boolean): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM workers
       WHERE id <> $1 AND ($3 OR greatest(heartbeat_at, pg_postmaster_start_time()) < now() - $2 * interval '1 second')`,
      [self, silentSeconds, exclusive],
    );
    return rows.map((row) => row.id);
  }

  /**
   * Takes the first of the provider's ids that no other message has: two equal messages to one recipient must not both be settled by the same
   * one. Undefined when all belong to others.
   */
  async takeExternalId<Found extends { externalId: string }>(
    configId: string,
    messageId: string,
    found: readonly Found[],
  ): Promise<Found | undefined> {
    for (const candidate of found) {
      await this.database.execute(
        'INSERT INTO external_ids (config_id, external_id, message_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
        [configId, candidate.externalId, messageId],
      );
      const [owner] = await this.database.query<{ message_id: string }>(
        'SELECT message_id FROM external_ids WHERE config_id = $1 AND external_id = $2',
        [configId, candidate.externalId],
      );
      if (owner?.message_id === messageId) return candidate;
    }
    return undefined;
  }

  /**
   * Locks up to `limit` messages that a dead holder had claimed; for use in the transaction that takes them back. One that a report has in hand at
   * this moment is left for later: who writes reports locks the message first and then its queue row, so waiting for it could be for ever. Their
   * content, which nothing is done with, may be megabytes each: it is left empty.
   */
  async lockHeldBy(
    tx: Transaction,
    holder: string,
    limit: number,
  ): Promise<Array<ClaimedMessage & { claimedAt: number }>> {
    const rows = await tx.query<ClaimRow & { claimed_at: Date }>(
      `SELECT ${MESSAGE_COLUMNS}, '{}'::jsonb AS content, q.lane, q.rounds, q.tried, q.unknown_since, q.unknown_config, q.reconcile_until, q.claimed_at
       FROM message_queue q JOIN messages m ON m.id = q.message_id AND m.created_at = q.message_created_at
       WHERE q.claimed_by = $1 LIMIT $2 FOR NO KEY UPDATE OF m SKIP LOCKED FOR UPDATE OF q SKIP LOCKED`,
      [holder, limit],
    );
    return rows.map((row) => ({ ...claimedMessage(row), claimedAt: row.claimed_at.getTime() }));
  }
}

function claimedMessage(row: ClaimRow): ClaimedMessage {
  return {
    id: row.id,
    createdAt: messageIdTime(row.id)!,
    clientId: row.client_id,
    channel: row.channel,
    recipient: row.recipient,
    sender: row.sender,
    content: row.content,
    priority: row.priority,
    provider: row.provider,
    expiresAt: row.expires_at.getTime(),
    attempts: row.attempts,
    attempted: row.attempted,
    lane: row.lane,
    rounds: row.rounds,
    tried: row.tried,
    unknown:
      row.unknown_since && row.unknown_config && row.reconcile_until
        ? {
            since: row.unknown_since.getTime(),
            configId: row.unknown_config,
            reconcileUntil: row.reconcile_until.getTime(),
          }
        : null,
    possibleDuplicate: row.possible_duplicate,
    state: {
      id: row.id,
      client_id: row.client_id,
      channel: row.channel,
      status: row.status,
      recipient: row.recipient,
      reference: row.reference,
      metadata: row.metadata,
      config_id: row.config_id,
      external_id: row.external_id,
      parts: row.parts,
      segments: row.segments,
      cost_amount: row.cost_amount,
      cost_currency: row.cost_currency,
      attempted_config: null,
      possible_duplicate: row.possible_duplicate,
      version: row.version,
    },
  };
}
