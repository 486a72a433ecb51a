import { Injectable } from '@nestjs/common';
import { messageIdTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { LaneWaits } from '../dispatch/lane-waits';
import { Database } from '../../platform/database/database';
import { EventStore } from '../../platform/events/event-store';
import { skipFallbacks } from '../fallback/fallback-statements';
import { CONTRIBUTION_CONFIG } from '../metering/contribution';
import { insertUsageDeltas } from '../metering/usage-deltas';
import { messageEventData } from './message-draft';
import { MessageReader } from './message-reader';
import { MessageSignal } from './message-signal';
import { MessageWriter } from './message-writer';
import type { MessageView } from './message.view';
import { ProviderInquiry } from './provider-inquiry';

/** What a tenant does to one message besides sending it. */
@Injectable()
export class MessageActions {
  constructor(
    private readonly reader: MessageReader,
    private readonly writer: MessageWriter,
    private readonly database: Database,
    private readonly events: EventStore,
    private readonly messageSignal: MessageSignal,
    private readonly provider: ProviderInquiry,
    private readonly waits: LaneWaits,
  ) {}

  /** The message, with why it waits where only its lane knows. @throws Problem not_found */
  async view(clientId: string, id: string): Promise<MessageView> {
    const view = await this.reader.get(clientId, id);
    if ((view.status === 'queued' || view.status === 'scheduled') && view.waiting_on === null) {
      const lane = await this.reader.waitingLane(clientId, id);
      if (lane) view.waiting_on = await this.waits.reason(lane);
    }
    return view;
  }

  /**
   * Cancels while nobody has the message in hand: the queue row decides, so a worker and a cancellation cannot both win. One that a provider may have
   * taken is not canceled: its recipient may get it, and what is reported of it must count.
   * @throws Problem not_found, conflict
   */
  async cancel(clientId: string, id: string): Promise<MessageView> {
    if (messageIdTime(id) === null) throw Problem.notFound('message');
    if ((await this.cancelMany(clientId, [id])).length > 0) return this.reader.get(clientId, id);
    const view = await this.reader.get(clientId, id);
    if (view.possible_duplicate && !view.final)
      throw new Problem(
        'conflict',
        'A provider may have taken this message in an attempt of unknown fate, so it cannot be canceled.',
      );
    throw new Problem(
      'conflict',
      `A message that is ${view.status} cannot be canceled; only one that is scheduled or queued can.`,
    );
  }

  /** As {@link cancel}, for up to some hundred messages at once; answers the ids of those that it was not too late for. */
  async cancelMany(clientId: string, ids: readonly string[]): Promise<string[]> {
    const messages = ids.flatMap((id) => {
      const at = messageIdTime(id);
      return at === null ? [] : [{ id, at }];
    });
    const canceled = await this.database.tenant(clientId, async (tx) => {
      // First the messages, in order, then their queue rows, as who writes reports does: else the two could wait for each other.
      await tx.query(
        `SELECT 1 FROM unnest($2::text[], $3::float8[]) AS i(id, at) JOIN messages m ON m.id = i.id AND m.created_at = to_timestamp(i.at / 1000.0)
         WHERE m.client_id = $1 ORDER BY m.id FOR NO KEY UPDATE OF m`,
        [clientId, messages.map(({ id }) => id), messages.map(({ at }) => at)],
      );
      const taken = await tx.query<{ message_id: string }>(
        `DELETE FROM message_queue q USING messages m
         WHERE q.client_id = $1 AND q.message_id = ANY($2) AND q.claimed_by IS NULL AND q.unknown_since IS NULL AND NOT m.possible_duplicate
           AND m.id = q.message_id AND m.created_at = q.message_created_at AND m.status IN ('scheduled', 'queued')
         RETURNING q.message_id`,
        [clientId, messages.map(({ id }) => id)],
      );
      if (taken.length === 0) return [];
      const taking = taken.map(({ message_id: id }) => id);
      const rows = await tx.query<Parameters<typeof messageEventData>[0] & { counted_config: string }>(
        `UPDATE messages m SET status = 'canceled', version = version + 1, updated_at = now()
         FROM unnest($2::text[], $3::float8[]) AS i(id, at)
         WHERE m.client_id = $1 AND m.id = i.id AND m.created_at = to_timestamp(i.at / 1000.0)
         RETURNING m.id, m.client_id, m.channel, m.recipient, m.reference, m.metadata, ${CONTRIBUTION_CONFIG} AS counted_config`,
        [clientId, taking, taking.map((id) => messageIdTime(id))],
      );
      await skipFallbacks(tx, clientId, taking);
      await insertUsageDeltas(
        tx,
        rows.map(({ id, channel, counted_config: configId }) => ({
          client_id: clientId,
          at: messageIdTime(id)!,
          config_id: configId,
          channel,
          status: 'canceled',
          messages: 1,
        })),
      );
      const now = Date.now();
      await this.events.insert(
        tx,
        rows.map((row) => ({
          clientId,
          type: 'message.canceled',
          messageId: row.id,
          occurredAt: now,
          data: messageEventData(row, 'canceled', now),
        })),
      );
      return taking;
    });
    if (canceled.length > 0) {
      this.events.signal.committed([clientId]);
      this.messageSignal.changed(canceled);
    }
    return canceled;
  }

  /**
   * Asks the provider that took the message.
   * @throws Problem not_found; conflict when no provider has it or the provider cannot be asked; all_gateways_failed when it does not answer
   */
  async refresh(clientId: string, id: string): Promise<MessageView> {
    const view = await this.reader.get(clientId, id);
    if (view.config_id === null || view.external_id === null) {
      throw new Problem(
        'conflict',
        `A message that is ${view.status} is with no provider yet, so there is nobody to ask.`,
      );
    }
    const report = await this.provider.ask(clientId, view.config_id, view.external_id, id);
    if (report?.status) await this.writer.apply({ kind: 'report', report: { ...report, status: report.status } });
    return this.reader.get(clientId, id);
  }
}
