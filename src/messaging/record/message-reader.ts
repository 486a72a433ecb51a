import { Injectable, Optional } from '@nestjs/common';
import { ProviderRegistry } from '../../gateway/provider-registry';
import type { Channel, MessageStatus } from '../../kernel/channel';
import { messageIdTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { Database, statement, type Transaction } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import { readFallbacks } from '../fallback/fallback-reader';
import { NO_ENGAGEMENT, type Engagement } from './engagement';
import { isFinal } from './message-state';
import { PRIORITY_NAMES, type AttemptRecord } from './message.types';
import type { MessageEventView, MessageView } from './message.view';

interface MessageRow {
  id: string;
  client_id: string;
  channel: Channel;
  status: MessageStatus;
  recipient: string;
  sender: string | null;
  content: Record<string, unknown> | null;
  priority: number;
  reference: string | null;
  tags: string[] | null;
  metadata: Record<string, string> | null;
  encoding: string | null;
  segments: number | null;
  send_at: Date | null;
  expires_at: Date;
  gateway: string | null;
  config_id: string | null;
  external_id: string | null;
  attempts: AttemptRecord[];
  cost_amount: string | null;
  cost_currency: string | null;
  error_code: string | null;
  error_message: string | null;
  possible_duplicate: boolean;
  engagement: Engagement | null;
  updated_at: Date;
  queue_lane: string | null;
  queue_waiting_on: string | null;
  queue_claimed: boolean | null;
  queue_due: boolean | null;
  queue_unknown: boolean | null;
}

interface EventRow {
  type: string;
  occurred_at: Date;
  gateway: string | null;
  data: Record<string, unknown>;
}

/** When a message came to a status; RFC 3339. */
export interface MessageTimes {
  sent?: string;
  delivered?: string;
  read?: string;
}

/** What `GET /v1/messages` can be narrowed by. Times are milliseconds since the epoch. */
export interface MessageFilter {
  channel?: string;
  status?: string;
  to?: string;
  tag?: string;
  reference?: string;
  provider?: string;
  /** The config that took it. */
  configId?: string;
  /** Taken by a gateway (the provider's key), or by none yet and forced to it by one of these names. */
  taker?: { gateway: string; forced: readonly string[] };
  /** A member that the content has. */
  contentMember?: string;
  id?: string;
  createdFrom?: number;
  createdTo?: number;
  /** Ids below this one: the last of the page before. */
  before?: string;
  limit: number;
}

/** Files of an email are shown by name, type and size: their bytes never leave the database for a view, of which a list has many. */
const SHOWN_CONTENT = `CASE WHEN jsonb_typeof(m.content -> 'attachments') = 'array' THEN jsonb_set(m.content, '{attachments}', (
    SELECT jsonb_agg(jsonb_build_object('filename', file -> 'filename', 'content_type', file -> 'content_type',
                                        'size', length(rtrim(file ->> 'content', '=')) * 3 / 4) ORDER BY n)
    FROM jsonb_array_elements(m.content -> 'attachments') WITH ORDINALITY AS f(file, n))) ELSE m.content END AS content`;

const COLUMNS = `m.id, m.client_id, m.channel, m.status, m.recipient, m.sender, ${SHOWN_CONTENT}, m.priority, m.reference, m.tags, m.metadata, m.encoding,
  m.segments, m.send_at, m.expires_at, m.gateway, m.config_id, m.external_id, m.attempts, m.cost_amount, m.cost_currency, m.error_code, m.error_message,
  m.possible_duplicate, m.engagement, m.updated_at, q.lane AS queue_lane, q.waiting_on AS queue_waiting_on, q.claimed_by IS NOT NULL AS queue_claimed,
  q.due_at <= now() AS queue_due, q.unknown_since IS NOT NULL AS queue_unknown`;

/** `sending` is not stored: it is a message whose queue row a worker holds, or whose last attempt's fate is open. */
const SENDING = `(q.claimed_by IS NOT NULL OR q.unknown_since IS NOT NULL)`;

const LEFT_QUEUE = statement(
  'messages.left-queue',
  `SELECT m.id FROM unnest($1::text[], $2::text[], $3::float8[]) AS w(client_id, id, at)
   JOIN messages m ON m.client_id = w.client_id AND m.id = w.id AND m.created_at = to_timestamp(w.at / 1000.0)
   WHERE m.status NOT IN ('queued', 'scheduled')`,
);

/** Reads messages for their tenant. */
@Injectable()
export class MessageReader {
  constructor(
    private readonly database: Database,
    @Optional() private readonly providers?: ProviderRegistry,
  ) {}

  /** @throws Problem not_found for an id that is unknown, malformed or another tenant's */
  async get(clientId: string, id: string): Promise<MessageView> {
    const at = messageIdTime(id);
    if (at === null) throw Problem.notFound('message');
    return this.database.tenant(clientId, async (tx) => {
      const row = await findRow(tx, clientId, id, at);
      if (!row) throw Problem.notFound('message');
      const events = await tx.query<EventRow>(
        'SELECT type, occurred_at, gateway, data FROM events WHERE client_id = $1 AND message_id = $2 AND created_at >= to_timestamp($3 / 1000.0) ORDER BY tx, seq',
        [clientId, id, at - 60_000],
      );
      return { ...this.viewOf(row), events: timeline(row, events), ...(await readFallbacks(tx, clientId, id)) };
    });
  }

  /** Newest first. */
  async list(clientId: string, filter: MessageFilter): Promise<MessageView[]> {
    const conditions = ['m.client_id = $1'];
    const values: unknown[] = [clientId];
    const add = (sql: (parameter: string) => string, value: unknown) => {
      values.push(value);
      conditions.push(sql(`$${values.length}`));
    };
    if (filter.channel !== undefined) add((p) => `m.channel = ${p}`, filter.channel);
    if (filter.to !== undefined) add((p) => `m.recipient = ${p}`, filter.to);
    if (filter.tag !== undefined) add((p) => `m.tags @> ARRAY[${p}]::text[]`, filter.tag);
    if (filter.reference !== undefined) add((p) => `m.reference = ${p}`, filter.reference);
    if (filter.provider !== undefined) add((p) => `m.gateway = ${p}`, filter.provider);
    if (filter.configId !== undefined) add((p) => `m.config_id = ${p}`, filter.configId);
    if (filter.contentMember !== undefined) add((p) => `m.content ? ${p}`, filter.contentMember);
    if (filter.taker !== undefined) {
      const { gateway, forced } = filter.taker;
      values.push(gateway, textArray(forced));
      const [taken, asked] = [`$${values.length - 1}`, `$${values.length}`];
      conditions.push(`(m.gateway = ${taken} OR (m.gateway IS NULL AND m.provider = ANY(${asked}::text[])))`);
    }
    if (filter.id !== undefined) {
      const at = messageIdTime(filter.id);
      if (at === null) return [];
      values.push(filter.id, at);
      conditions.push(`m.id = $${values.length - 1} AND m.created_at = to_timestamp($${values.length} / 1000.0)`);
    }
    if (filter.status === 'sending') conditions.push(`m.status IN ('queued', 'scheduled') AND ${SENDING}`);
    else if (filter.status === 'queued' || filter.status === 'scheduled') {
      add((p) => `m.status = ${p} AND NOT coalesce(${SENDING}, false)`, filter.status);
    } else if (filter.status !== undefined) add((p) => `m.status = ${p}`, filter.status);
    // The creation time selects the partitions; the id gives the order.
    if (filter.createdFrom !== undefined) add((p) => `m.created_at >= to_timestamp(${p} / 1000.0)`, filter.createdFrom);
    if (filter.createdTo !== undefined) add((p) => `m.created_at < to_timestamp(${p} / 1000.0)`, filter.createdTo);
    if (filter.before !== undefined) {
      // msg_… and msg_test_… do not sort together by text, so the order is time, then id.
      const at = messageIdTime(filter.before);
      if (at === null) throw Problem.field('cursor', 'invalid_value', 'is not a cursor of this list');
      values.push(at, filter.before);
      conditions.push(`(m.created_at, m.id) < (to_timestamp($${values.length - 1} / 1000.0), $${values.length})`);
    }
    values.push(filter.limit);
    return this.database.tenant(clientId, async (tx) => {
      const rows = await tx.query<MessageRow>(
        `SELECT ${COLUMNS} FROM messages m LEFT JOIN message_queue q ON q.message_id = m.id
         WHERE ${conditions.join(' AND ')} ORDER BY m.created_at DESC, m.id DESC LIMIT $${values.length}`,
        values,
      );
      return rows.map((row) => this.viewOf(row));
    });
  }

  /** When messages came to a status, by message id; from their events. */
  async times(clientId: string, ids: readonly string[]): Promise<Map<string, MessageTimes>> {
    const first = Math.min(...ids.map((id) => messageIdTime(id) ?? Infinity));
    if (!Number.isFinite(first)) return new Map();
    const rows = await this.database.tenant(clientId, (tx) =>
      tx.query<{ message_id: string; type: string; at: Date }>(
        `SELECT message_id, type, min(occurred_at) AS at FROM events
         WHERE client_id = $1 AND message_id = ANY($2::text[]) AND created_at >= to_timestamp($3 / 1000.0)
           AND type IN ('message.sent', 'message.delivered', 'message.read')
         GROUP BY message_id, type`,
        [clientId, textArray(ids), first - 60_000],
      ),
    );
    const times = new Map<string, MessageTimes>();
    for (const { message_id: id, type, at } of rows) {
      times.set(id, { ...times.get(id), [type.slice('message.'.length)]: at.toISOString() });
    }
    return times;
  }

  /** The lane in which a message waits, due and untaken, without a reason of its own; null when it does not. */
  async waitingLane(clientId: string, id: string): Promise<string | null> {
    const rows = await this.database.tenant(clientId, (tx) =>
      tx.query<{ lane: string }>(
        `SELECT lane FROM message_queue
         WHERE client_id = $1 AND message_id = $2 AND claimed_by IS NULL AND due_at <= now() AND (waiting_on IS NULL OR waiting_on IN ('schedule', 'retry'))`,
        [clientId, id],
      ),
    );
    return rows[0]?.lane ?? null;
  }

  /** Ids of those messages that have left `queued` and `sending`. */
  async leftQueue(messages: ReadonlyArray<{ clientId: string; messageId: string }>): Promise<Set<string>> {
    const rows = await this.database.query<{ id: string }>(LEFT_QUEUE, [
      textArray(messages.map(({ clientId }) => clientId)),
      textArray(messages.map(({ messageId }) => messageId)),
      plainArray(messages.map(({ messageId }) => messageIdTime(messageId))),
    ]);
    return new Set(rows.map(({ id }) => id));
  }

  private viewOf(row: MessageRow): MessageView {
    return { ...viewOf(row), final: isFinal(row.status) || (row.status === 'sent' && this.tellsNoMore(row.gateway)) };
  }

  /** Whether the provider that took a message reports nothing of it: then nothing comes after `sent`. */
  private tellsNoMore(gateway: string | null): boolean {
    return gateway !== null && this.providers?.get(gateway)?.capabilities.status === 'none';
  }
}

async function findRow(tx: Transaction, clientId: string, id: string, at: number): Promise<MessageRow | undefined> {
  const rows = await tx.query<MessageRow>(
    `SELECT ${COLUMNS} FROM messages m LEFT JOIN message_queue q ON q.message_id = m.id
     WHERE m.client_id = $1 AND m.id = $2 AND m.created_at = to_timestamp($3 / 1000.0)`,
    [clientId, id, at],
  );
  return rows[0];
}

function viewOf(row: MessageRow): Omit<MessageView, 'final'> {
  const waiting = row.queue_lane !== null && !isFinal(row.status);
  const sending = waiting && (row.queue_claimed === true || row.queue_unknown === true);
  return {
    message_id: row.id,
    client_id: row.client_id,
    channel: row.channel,
    status: sending ? 'sending' : row.status,
    to: row.recipient,
    from: row.sender,
    content: row.content,
    gateway: row.gateway,
    config_id: row.config_id,
    external_id: row.external_id,
    attempts: row.attempts,
    cost:
      row.cost_amount !== null && row.cost_currency !== null
        ? { amount: row.cost_amount, currency: row.cost_currency }
        : null,
    segments: row.segments,
    encoding: row.encoding,
    waiting_on: waiting && !row.queue_claimed && !isOver(row) ? row.queue_waiting_on : null,
    possible_duplicate: row.possible_duplicate,
    engagement: row.channel === 'email' ? { ...NO_ENGAGEMENT, ...row.engagement } : null,
    error_code: row.error_code,
    error_message: row.error_message,
    priority: PRIORITY_NAMES[row.priority]!,
    reference: row.reference,
    metadata: row.metadata ?? {},
    tags: row.tags ?? [],
    send_at: row.send_at?.toISOString() ?? null,
    expires_at: row.expires_at.toISOString(),
    created_at: new Date(messageIdTime(row.id)!).toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

/** A wait for a time that has come; what the message waits for now, its lane says. */
function isOver(row: MessageRow): boolean {
  return row.queue_due === true && (row.queue_waiting_on === 'schedule' || row.queue_waiting_on === 'retry');
}

/** Fields of an event's data that the message itself shows already. */
const ON_THE_MESSAGE = new Set([
  'message_id',
  'client_id',
  'channel',
  'status',
  'to',
  'gateway',
  'reference',
  'metadata',
  'occurred_at',
]);

function timeline(row: MessageRow, events: readonly EventRow[]): MessageEventView[] {
  const first = row.status === 'simulated' ? 'message.simulated' : row.send_at ? 'message.scheduled' : 'message.queued';
  const accepted: MessageEventView = {
    event: first,
    at: new Date(messageIdTime(row.id)!).toISOString(),
    gateway: null,
  };
  return [
    accepted,
    ...events.map((event) => {
      const detail = Object.fromEntries(Object.entries(event.data).filter(([name]) => !ON_THE_MESSAGE.has(name)));
      return {
        event: event.type,
        at: event.occurred_at.toISOString(),
        gateway: event.gateway,
        ...(Object.keys(detail).length > 0 ? { detail } : {}),
      };
    }),
  ];
}
