import { Injectable } from '@nestjs/common';
import { GroupCommit } from '../../kernel/group-commit';
import { messageIdTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { Database, isDatabaseUnavailable, statement } from '../../platform/database/database';
import { jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import type { PlannedFallback } from './fallback-item';

interface Plan {
  messageId: string;
  clientId: string;
  /** When the message is due, milliseconds since the epoch: what the first item's time counts from. */
  from: number;
  items: readonly PlannedFallback[];
}

const MAX_BATCH = 200;

const INSERT = statement(
  'message_fallbacks.insert',
  `INSERT INTO message_fallbacks (message_id, message_created_at, position, client_id, channel, recipient, after_seconds, body, state, due_at, watched,
                                  watched_created_at, created_at)
   SELECT message_id, to_timestamp(at / 1000.0), position, client_id, channel, recipient, after_seconds, body,
          CASE WHEN position = 0 THEN 'waiting' ELSE 'held' END, to_timestamp(due / 1000.0), message_id, to_timestamp(at / 1000.0), now()
   FROM unnest($1::text[], $2::float8[], $3::int[], $4::text[], $5::text[], $6::text[], $7::int[], $8::jsonb[], $9::float8[])
     AS i(message_id, at, position, client_id, channel, recipient, after_seconds, body, due)`,
);

/**
 * Keeps what is to be sent when a message is not delivered. It is committed before the message is, so a message that was accepted has all of it; rows
 * whose message never came are swept. Messages without it pay nothing.
 */
@Injectable()
export class FallbackStore {
  private readonly commits = new GroupCommit<Plan, void>((plans) => this.insert(plans), MAX_BATCH);

  constructor(private readonly database: Database) {}

  /** Resolves when it is committed. @throws Problem 503 when the database is away */
  plan(messageId: string, clientId: string, from: number, items: readonly PlannedFallback[]): Promise<void> {
    return this.commits.add({ messageId, clientId, from, items });
  }

  /** Takes back what was planned for a message that was not stored. */
  async drop(messageId: string): Promise<void> {
    await this.database.execute('DELETE FROM message_fallbacks WHERE message_id = $1', [messageId]);
  }

  private async insert(plans: Plan[]): Promise<Array<void | Error>> {
    try {
      await this.write(plans);
      return plans.map(() => undefined);
    } catch (error) {
      if (isDatabaseUnavailable(error))
        throw Problem.unavailable('The database is not available right now. Send again.', error);
      if (plans.length === 1) return [error as Error];
      const results: Array<void | Error> = [];
      for (const plan of plans) results.push(...(await this.insert([plan])));
      return results;
    }
  }

  private async write(plans: readonly Plan[]): Promise<void> {
    const rows = plans.flatMap((plan) => plan.items.map((item, position) => ({ plan, item, position })));
    await this.database.query(INSERT, [
      textArray(rows.map(({ plan }) => plan.messageId)),
      plainArray(rows.map(({ plan }) => messageIdTime(plan.messageId))),
      plainArray(rows.map(({ position }) => position)),
      textArray(rows.map(({ plan }) => plan.clientId)),
      textArray(rows.map(({ item }) => item.channel)),
      textArray(rows.map(({ item }) => item.recipient)),
      plainArray(rows.map(({ item }) => item.afterSeconds)),
      jsonArray(rows.map(({ item }) => item.body)),
      plainArray(
        rows.map(({ plan, item, position }) => (position === 0 ? plan.from + item.afterSeconds * 1000 : null)),
      ),
    ]);
  }
}
