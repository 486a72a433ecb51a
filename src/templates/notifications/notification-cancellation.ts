import { Injectable } from '@nestjs/common';
import { Problem } from '../../kernel/problem';
import { MessageActions } from '../../messaging/record/message-actions';
import { Database } from '../../platform/database/database';
import { CANCEL_RECIPIENTS, CANCELABLE, CLAIM_CANCELING, OPEN_MESSAGES } from './notification.statements';

const PAGE = 200;

/** Stops notifications: messages that are not made stay so, those that wait are canceled. */
@Injectable()
export class NotificationCancellation {
  constructor(
    private readonly database: Database,
    private readonly messages: MessageActions,
  ) {}

  /** Nothing more is made from now on but what is in hand at the moment. @throws Problem not_found; conflict when there is nothing to stop */
  async request(clientId: string, id: string): Promise<void> {
    await this.database.tenant(clientId, async (tx) => {
      const [row] = await tx.query<{ state: string }>(
        `SELECT state FROM notifications WHERE client_id = $1 AND id = $2 AND state <> 'storing' FOR NO KEY UPDATE`,
        [clientId, id],
      );
      if (row === undefined) throw Problem.notFound('notification');
      if (row.state === 'canceling' || row.state === 'canceled') return;
      if (row.state === 'completed') {
        const open = await tx.query(OPEN_MESSAGES, [clientId, id, -1, '', 1]);
        if (open.length === 0)
          throw new Problem(
            'conflict',
            'All messages of this notification have been handed to providers or are final.',
          );
      }
      await tx.execute(`UPDATE notifications SET state = 'canceling' WHERE client_id = $1 AND id = $2`, [clientId, id]);
      await tx.execute(CANCEL_RECIPIENTS, [id]);
    });
  }

  /** Cancels messages of notifications that are to be stopped. */
  async run(): Promise<void> {
    const claimed = await this.database.query<{ id: string; client_id: string }>(CLAIM_CANCELING);
    for (const { id, client_id: clientId } of claimed) await this.cancel(clientId, id);
  }

  private async cancel(clientId: string, id: string): Promise<void> {
    await this.database.execute(CANCEL_RECIPIENTS, [id]);
    const [{ n: inHand } = { n: 0 }] = await this.database.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM notification_recipients WHERE notification_id = $1 AND state = 'pending'`,
      [id],
    );
    // Its messages are not known yet.
    if (inHand > 0) {
      await this.database.execute('UPDATE notifications SET lease_until = NULL WHERE id = $1', [id]);
      return;
    }
    let after: [number, string] = [-1, ''];
    for (;;) {
      const open = await this.database.query<{ position: number; channel: string; message_id: string }>(OPEN_MESSAGES, [
        clientId,
        id,
        ...after,
        PAGE,
      ]);
      if (open.length > 0)
        await this.messages.cancelMany(
          clientId,
          open.map(({ message_id: messageId }) => messageId),
        );
      const last = open.at(-1);
      if (last === undefined || open.length < PAGE) break;
      after = [last.position, last.channel];
      await this.database.execute(
        `UPDATE notifications SET lease_until = now() + interval '30 seconds' WHERE id = $1`,
        [id],
      );
    }
    // What a worker had in hand during the look may come back to wait for another try.
    const left = await this.database.query(CANCELABLE, [clientId, id]);
    if (left.length > 0) {
      await this.database.execute(`UPDATE notifications SET lease_until = now() + interval '1 second' WHERE id = $1`, [
        id,
      ]);
      return;
    }
    await this.database.execute(
      `UPDATE notifications SET state = 'canceled', finished_at = now(), lease_until = NULL WHERE id = $1 AND state = 'canceling'`,
      [id],
    );
  }
}
