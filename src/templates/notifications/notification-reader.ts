import { Injectable } from '@nestjs/common';
import { PRIORITIES, type Channel } from '../../kernel/channel';
import { Problem } from '../../kernel/problem';
import { Database, type Transaction } from '../../platform/database/database';
import type {
  ListNotificationsQueryDto,
  ListRecipientsQueryDto,
  NotificationStatus,
  Outcome,
} from './dto/notifications.dto';
import type {
  NotificationMessageView,
  NotificationRecipientView,
  NotificationView,
  NotificationWithCountsView,
} from './dto/notifications.view';
import type { NotificationOptions } from './recipient-sends';

interface Row {
  id: string;
  template_id: string;
  template_version: number;
  state: NotificationStatus;
  prefix: string;
  options: NotificationOptions;
  recipients: number;
  planned: Partial<Record<Channel, number>>;
  accepted: number;
  replayed: number;
  already_sent: number;
  rejected: number;
  created_at: Date;
  started_at: Date | null;
  finished_at: Date | null;
}

interface ItemRow {
  channel: Channel;
  outcome: Outcome;
  message_id: string | null;
  error: { code: string; detail: string } | null;
  status: string | null;
  error_code: string | null;
  error_message: string | null;
}

const COLUMNS =
  'id, template_id, template_version, state, prefix, options, recipients, planned, accepted, replayed, already_sent, rejected, created_at, started_at, finished_at';

/** A message is found by its id and its time, so one partition is looked at; a record that is erased leaves what came of making it. */
const MESSAGE = 'LEFT JOIN messages m ON m.id = i.message_id AND m.created_at = i.message_created_at';

/** Reads notifications for their tenant. */
@Injectable()
export class NotificationReader {
  constructor(private readonly database: Database) {}

  /** Newest first. */
  async list(
    clientId: string,
    { status, idempotency_prefix: prefix }: ListNotificationsQueryDto,
    before: string | undefined,
    limit: number,
  ): Promise<NotificationView[]> {
    const rows = await this.database.tenant(clientId, (tx) =>
      tx.query<Row>(
        `SELECT ${COLUMNS} FROM notifications
         WHERE client_id = $1 AND state <> 'storing' AND ($2::text IS NULL OR id < $2) AND ($3::text IS NULL OR state = $3)
           AND ($4::text IS NULL OR prefix = $4) ORDER BY id DESC LIMIT $5`,
        [clientId, before ?? null, status ?? null, prefix ?? null, limit],
      ),
    );
    return rows.map(viewOf);
  }

  /** With the statuses of its messages as they are now. @throws Problem not_found */
  async get(clientId: string, id: string): Promise<NotificationWithCountsView> {
    return this.database.tenant(clientId, async (tx) => {
      const row = await find(tx, clientId, id);
      // By their ids one by one: hashed, the planner might read months of messages.
      await tx.execute('SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off');
      const counted = await tx.query<{ channel: Channel; status: string; n: number }>(
        `SELECT i.channel, coalesce(m.status, i.outcome) AS status, count(*)::int AS n FROM notification_items i ${MESSAGE}
         WHERE i.client_id = $1 AND i.notification_id = $2 GROUP BY 1, 2 ORDER BY 1, 2`,
        [clientId, id],
      );
      return { ...viewOf(row), ...countsOf(row, counted) };
    });
  }

  /** In the order of the request. @throws Problem not_found */
  async recipients(
    clientId: string,
    id: string,
    { recipient_id: recipientId, outcome }: ListRecipientsQueryDto,
    after: number,
    limit: number,
  ): Promise<Array<{ position: number; view: NotificationRecipientView }>> {
    return this.database.tenant(clientId, async (tx) => {
      const { state } = await find(tx, clientId, id);
      const rows = await tx.query<{
        position: number;
        recipient_id: string;
        locale: string | null;
        channels: Channel[];
        state: string;
        items: ItemRow[] | null;
      }>(
        `SELECT r.position, r.recipient_id, r.locale, r.channels, r.state, x.items
         FROM notification_recipients r LEFT JOIN LATERAL (
           SELECT json_agg(json_build_object('channel', i.channel, 'outcome', i.outcome, 'message_id', i.message_id, 'error', i.error,
             'status', m.status, 'error_code', m.error_code, 'error_message', m.error_message)) AS items
           FROM notification_items i ${MESSAGE} WHERE i.client_id = $1 AND i.notification_id = $2 AND i.position = r.position
         ) x ON true
         WHERE r.client_id = $1 AND r.notification_id = $2 AND r.position > $3 AND ($4::text IS NULL OR r.recipient_id = $4)
           AND ($5::text IS NULL OR EXISTS (
             SELECT 1 FROM notification_items i WHERE i.notification_id = $2 AND i.position = r.position AND i.outcome = $5))
         ORDER BY r.position LIMIT $6`,
        [clientId, id, after, recipientId ?? null, outcome ?? null, limit],
      );
      return rows.map((row) => {
        const open = row.state === 'canceled' || over(state) ? 'canceled' : 'pending';
        const messages = row.channels.map((channel) =>
          messageView(
            channel,
            (row.items ?? []).find((item) => item.channel === channel),
            open,
          ),
        );
        return { position: row.position, view: { id: row.recipient_id, locale: row.locale, messages } };
      });
    });
  }
}

async function find(tx: Transaction, clientId: string, id: string): Promise<Row> {
  const [row] = await tx.query<Row>(
    `SELECT ${COLUMNS} FROM notifications WHERE client_id = $1 AND id = $2 AND state <> 'storing'`,
    [clientId, id],
  );
  if (row === undefined) throw Problem.notFound('notification');
  return row;
}

function viewOf(row: Row): NotificationView {
  const { options, accepted, replayed, already_sent, rejected } = row;
  const messages = Object.values(row.planned).reduce((sum, n) => sum + n, 0);
  const open = messages - accepted - replayed - already_sent - rejected;
  const isOver = over(row.state);
  return {
    id: row.id,
    notification_id: row.id,
    status: row.state,
    template_id: row.template_id,
    template_version: row.template_version,
    idempotency_prefix: row.prefix,
    recipients: row.recipients,
    messages,
    progress: {
      pending: isOver ? 0 : open,
      accepted,
      replayed,
      already_sent,
      rejected,
      canceled: isOver ? open : 0,
    },
    send_at: time(options.send_at),
    expires_at: time(options.expires_at),
    priority: options.priority ?? PRIORITIES[1],
    metadata: options.metadata ?? null,
    tags: options.tags ?? [],
    sandbox: options.sandbox === true || options.sandbox_key === true,
    created_at: row.created_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    finished_at: row.finished_at?.toISOString() ?? null,
  };
}

/** Whether nothing more is made. One that was erased before its messages were made counts as canceled. */
function over(state: NotificationStatus): boolean {
  return state === 'completed' || state === 'canceling' || state === 'canceled';
}

function time(text: string | undefined): string | null {
  return text === undefined ? null : new Date(text).toISOString();
}

function countsOf(
  row: Row,
  counted: ReadonlyArray<{ channel: Channel; status: string; n: number }>,
): Pick<NotificationWithCountsView, 'counts' | 'totals'> {
  const counts: Record<string, Record<string, number>> = {};
  const totals: Record<string, number> = {};
  const add = (channel: string, status: string, n: number) => {
    const own = (counts[channel] ??= {});
    own[status] = (own[status] ?? 0) + n;
    totals[status] = (totals[status] ?? 0) + n;
  };
  const open = over(row.state) ? 'canceled' : 'pending';
  for (const [channel, planned] of Object.entries(row.planned)) {
    const own = counted.filter((one) => one.channel === channel);
    const rest = planned - own.reduce((sum, { n }) => sum + n, 0);
    counts[channel] = {};
    for (const { status, n } of own) add(channel, status, n);
    if (rest > 0) add(channel, open, rest);
  }
  return { counts, totals };
}

function messageView(channel: Channel, item: ItemRow | undefined, open: string): NotificationMessageView {
  if (item === undefined) return { channel, status: open, outcome: null, message_id: null, error: null };
  const failure = item.error_code === null ? null : { code: item.error_code, detail: item.error_message ?? '' };
  return {
    channel,
    status: item.status ?? item.outcome,
    outcome: item.outcome,
    message_id: item.message_id,
    error: item.error ?? failure,
  };
}
