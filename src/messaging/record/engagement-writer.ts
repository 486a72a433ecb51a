import { Injectable } from '@nestjs/common';
import type { EngagementEvent } from '../../gateway/contracts/callback';
import { messageIdTime } from '../../kernel/ids';
import { statement, type Transaction } from '../../platform/database/database';
import { jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import { EventStore, type NewEvent } from '../../platform/events/event-store';
import { CONTRIBUTION_CONFIG } from '../metering/contribution';
import { insertUsageDeltas, type UsageDelta } from '../metering/usage-deltas';
import { countEngagement, NO_ENGAGEMENT, type Engagement } from './engagement';

/** What a provider reported about what a recipient did. */
export interface ReportedEngagement {
  messageId: string;
  /** The tenant whose config the report came for; a message of another tenant is left alone. */
  clientId: string;
  /** Provider key. */
  gateway: string;
  event: EngagementEvent;
  /** Milliseconds since the epoch: the provider's clock where it has one. */
  occurredAt: number;
}

/** The message of an engagement, as far as its client is told of it. */
export interface EngagedMessage {
  id: string;
  client_id: string;
  channel: string;
  recipient: string;
  reference: string | null;
  metadata: Record<string, string> | null;
  engagement: Engagement | null;
  /** The account that it counts for. */
  counted_config: string;
}

// Ordered as every writer of messages orders its locks.
const LOCK = statement(
  'messages.lock_engagement',
  `SELECT m.id, m.client_id, m.channel, m.recipient, m.reference, m.metadata, m.engagement,
     ${CONTRIBUTION_CONFIG} AS counted_config
   FROM unnest($1::text[], $2::float8[]) AS i(id, at) JOIN messages m ON m.id = i.id AND m.created_at = to_timestamp(i.at / 1000.0)
   ORDER BY m.id FOR NO KEY UPDATE OF m`,
);

// The version stays: it is about the status, and who writes that touches no counts.
const WRITE = statement(
  'messages.write_engagement',
  `UPDATE messages m SET engagement = i.engagement, updated_at = now()
   FROM unnest($1::text[], $2::float8[], $3::jsonb[]) AS i(id, at, engagement)
   WHERE m.id = i.id AND m.created_at = to_timestamp(i.at / 1000.0)`,
);

/** Details that clients are shown, where the provider gives them. */
const SHOWN_DETAILS = ['url', 'user_agent', 'ip', 'reason'] as const;

/** Counts what recipients did, and writes the event that tells of it. Moves no status. Who calls sees to it that a fact comes once. */
@Injectable()
export class EngagementWriter {
  constructor(private readonly events: EventStore) {}

  /**
   * Applies reports inside a transaction of the caller, who signals the events of these tenants after the commit.
   * @returns one a report: its message; undefined when there is none, or it is another tenant's
   */
  async applyIn(tx: Transaction, reports: readonly ReportedEngagement[]): Promise<Array<EngagedMessage | undefined>> {
    const times = new Map<string, number>();
    for (const { messageId } of reports) {
      const at = messageIdTime(messageId);
      if (at !== null) times.set(messageId, at);
    }
    if (times.size === 0) return reports.map(() => undefined);
    const rows = await tx.query<EngagedMessage>(LOCK, [textArray([...times.keys()]), plainArray([...times.values()])]);
    const messages = new Map(rows.map((row) => [row.id, row]));
    const changed = new Set<EngagedMessage>();
    const events: NewEvent[] = [];
    const deltas: UsageDelta[] = [];
    const found = reports.map((report) => {
      const message = messages.get(report.messageId);
      if (message?.client_id !== report.clientId) return undefined;
      if (message.channel !== 'email') return message;
      const { type, machine, bounceType } = report.event;
      const before = message.engagement;
      message.engagement = countEngagement(before, { type, machine, bounceType, at: report.occurredAt });
      deltas.push(deltaOf(message, { ...NO_ENGAGEMENT, ...before }, message.engagement, times.get(message.id)!));
      changed.add(message);
      events.push(eventOf(message, report));
      return message;
    });
    if (changed.size > 0) {
      const list = [...changed];
      await tx.execute(WRITE, [
        textArray(list.map(({ id }) => id)),
        plainArray(list.map(({ id }) => times.get(id))),
        jsonArray(list.map(({ engagement }) => engagement)),
      ]);
      await this.events.insert(tx, events);
      await insertUsageDeltas(tx, deltas);
    }
    return found;
  }
}

function deltaOf(message: EngagedMessage, before: Engagement, after: Engagement, at: number): UsageDelta {
  const more = (
    name: 'opens' | 'clicks' | 'machine_opens' | 'machine_clicks' | 'bounces' | 'complaints' | 'unsubscribes',
  ) => after[name] - before[name];
  return {
    client_id: message.client_id,
    at,
    config_id: message.counted_config,
    channel: message.channel,
    opens: more('opens'),
    unique_opens: before.first_opened_at === null && after.first_opened_at !== null ? 1 : 0,
    machine_opens: more('machine_opens'),
    clicks: more('clicks'),
    unique_clicks: before.first_clicked_at === null && after.first_clicked_at !== null ? 1 : 0,
    machine_clicks: more('machine_clicks'),
    bounces: more('bounces'),
    complaints: more('complaints'),
    unsubscribes: more('unsubscribes'),
  };
}

function eventOf(message: EngagedMessage, { event, gateway, occurredAt }: ReportedEngagement): NewEvent {
  const details = SHOWN_DETAILS.flatMap((name) => {
    const value = event.detail?.[name];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  return {
    clientId: message.client_id,
    type: `email.${event.type}`,
    messageId: message.id,
    occurredAt,
    gateway,
    data: {
      message_id: message.id,
      client_id: message.client_id,
      channel: message.channel,
      to: message.recipient,
      gateway,
      ...(event.externalId !== undefined && { external_id: event.externalId }),
      ...(message.reference !== null && { reference: message.reference }),
      ...(message.metadata !== null && { metadata: message.metadata }),
      ...(event.recipient !== undefined && { recipient: event.recipient }),
      ...(event.machine !== undefined && { machine: event.machine }),
      ...(event.bounceType !== undefined && { bounce_type: event.bounceType }),
      ...Object.fromEntries(details),
      occurred_at: new Date(occurredAt).toISOString(),
    },
  };
}
