import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../../kernel/logger';
import type { Channel } from '../../kernel/channel';
import { messageIdTime } from '../../kernel/ids';
import { Periodic } from '../../kernel/periodic';
import { Problem } from '../../kernel/problem';
import { Database, statement } from '../../platform/database/database';
import { validateBody } from '../../platform/http/validation';
import type { Principal } from '../../tenancy/principal';
import { TenantDirectory } from '../../tenancy/tenant-directory';
import { IntakeService } from '../intake/intake.service';
import type { SendOptionsDto } from '../intake/send-options.dto';
import { skipFallbacks } from './fallback-statements';

const EVERY_MS = 500;
/** Waiting ones that are looked at in one turn; the next turn goes on behind them. */
const PAGE = 5_000;
const MOST_AT_ONCE = 50;
/** A process that died is followed by another one after this time. The key of the send keeps that from sending twice. */
const LEASE_SECONDS = 30;
const RETRY_SECONDS = 5;
/** A plan whose message is not there by then was made for one that was never stored. */
const ORPHAN_MINUTES = 10;

/**
 * Looks at a page of those that wait: a failure of what was sent last brings the next one on at once, and a delivery or cancellation makes all of them
 * needless.
 */
const LOOK = statement(
  'message_fallbacks.look',
  `WITH page AS MATERIALIZED (
     SELECT message_id, position, watched, watched_created_at, created_at FROM message_fallbacks
     WHERE state = 'waiting' AND (message_id, position) > ($1, $2::int) ORDER BY message_id, position LIMIT ${PAGE}
   ), seen AS MATERIALIZED (
     SELECT p.message_id, p.position, p.created_at, m.status FROM page p
     LEFT JOIN messages m ON m.id = p.watched AND m.created_at = p.watched_created_at
     -- Most wait for a message of which nothing new is known.
     WHERE m.status IS NULL OR m.status IN ('failed', 'undelivered', 'expired', 'delivered', 'read', 'canceled')
   ), brought_on AS (
     UPDATE message_fallbacks f SET due_at = now() FROM seen s
     WHERE f.message_id = s.message_id AND f.position = s.position AND f.state = 'waiting' AND f.due_at > now()
       AND s.status IN ('failed', 'undelivered', 'expired')
   ), skipped AS (
     UPDATE message_fallbacks f SET state = 'skipped', body = NULL FROM seen s
     WHERE f.message_id = s.message_id AND f.state IN ('waiting', 'held') AND s.status IN ('delivered', 'read', 'canceled')
   ), swept AS (
     DELETE FROM message_fallbacks f USING seen s
     WHERE f.message_id = s.message_id AND s.status IS NULL AND s.created_at < now() - interval '${ORPHAN_MINUTES} minutes'
   )
   SELECT count(*)::int AS n, max(message_id) AS last FROM page`,
);

const CLAIM = statement(
  'message_fallbacks.claim',
  `UPDATE message_fallbacks f SET lease_until = now() + interval '${LEASE_SECONDS} seconds'
   WHERE (f.message_id, f.position) IN (
     SELECT message_id, position FROM message_fallbacks
     WHERE state = 'waiting' AND due_at <= now() AND (lease_until IS NULL OR lease_until < now())
     ORDER BY due_at LIMIT ${MOST_AT_ONCE} FOR UPDATE SKIP LOCKED
   )
   RETURNING f.client_id, f.message_id, f.position, f.channel, f.body`,
);

const CHAIN = statement(
  'message_fallbacks.chain',
  `SELECT i.id, m.status FROM (
     SELECT $2::text AS id, to_timestamp($3::float8 / 1000.0) AS at
     UNION ALL
     SELECT f.watched, f.watched_created_at FROM message_fallbacks f WHERE f.message_id = $2 AND f.position > 0 AND f.watched <> $2 AND f.state <> 'held'
   ) i JOIN messages m ON m.id = i.id AND m.created_at = i.at WHERE m.client_id = $1`,
);

interface Claimed {
  client_id: string;
  message_id: string;
  position: number;
  channel: Channel;
  body: Record<string, unknown>;
}

/** Sends by another channel what was not delivered in time. Any number of processes may run it: each item is sent once. */
@Injectable()
export class FallbackRunner {
  private readonly task: Periodic;
  private after: readonly [messageId: string, position: number] = ['', -1];

  constructor(
    private readonly database: Database,
    private readonly intake: IntakeService,
    private readonly tenants: TenantDirectory,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.task = new Periodic('message fallbacks', EVERY_MS, () => this.run(), logger);
  }

  start(): void {
    this.task.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** One turn. */
  async run(): Promise<void> {
    const [page] = await this.database.flush(async (tx) => {
      // A page is read in the order of its index: for a bitmap PostgreSQL would read and sort all that wait.
      await tx.execute('SET LOCAL enable_bitmapscan = off');
      return tx.query<{ n: number; last: string | null }>(LOOK, [...this.after]);
    });
    // A page may end between two items of one message: only one of them waits at a time, so none is passed over.
    this.after = page!.n === PAGE ? [page!.last!, 32_767] : ['', -1];
    for (;;) {
      const due = await this.database.query<Claimed>(CLAIM);
      await Promise.all(due.map((item) => this.fire(item)));
      if (due.length < MOST_AT_ONCE) return;
    }
  }

  /** Does not throw: what could not be decided is tried again. */
  private async fire(item: Claimed): Promise<void> {
    try {
      const statuses = await this.database.query<{ id: string; status: string }>(CHAIN, [
        item.client_id,
        item.message_id,
        messageIdTime(item.message_id),
      ]);
      const original = statuses.find(({ id }) => id === item.message_id);
      // It is being stored at this moment, or never was.
      if (!original) return await this.postpone(item);
      const needless = statuses.some(
        ({ status }) => status === 'delivered' || status === 'read' || status === 'canceled',
      );
      if (needless) return await this.skip(item);
      await this.send(item);
    } catch (error) {
      this.logger.warn({ err: error, messageId: item.message_id }, 'fallback not sent; it is tried again');
      await this.postpone(item).catch(() => {});
    }
  }

  private async send(item: Claimed): Promise<void> {
    const { client_id: clientId, message_id: messageId, position, channel, body } = item;
    try {
      const { status } = await this.tenants.get(clientId);
      if (status === 'suspended') throw new Problem('forbidden', 'The tenant was suspended when it was due.');
      const descriptor = this.intake.descriptor(channel);
      const dto = validateBody(descriptor.dto, body) as SendOptionsDto;
      // Its own key: whoever comes to send it again, after a crash or in another process, gets the message that there is.
      dto.idempotency_key = `fallback:${messageId}:${position}`;
      const principal: Principal = { clientId, keyId: 'fallback', scopes: [], sandbox: false };
      const { data } = await this.intake.accept(principal, channel, dto, undefined, { passOver: true });
      await this.sent(item, data.message_id);
    } catch (error) {
      if (!(error instanceof Problem) || error.status >= 500) throw error;
      await this.failed(item, error);
    }
  }

  private async sent({ client_id, message_id, position }: Claimed, sentId: string): Promise<void> {
    await this.database.transaction(async (tx) => {
      // It went out, also where a cancellation or delivery of its message came while it did: nobody is to be told that it was skipped.
      const done = await tx.execute(
        `UPDATE message_fallbacks SET state = 'sent', sent_message_id = $4, sent_at = now(), body = NULL, lease_until = NULL
         WHERE client_id = $1 AND message_id = $2 AND position = $3 AND state IN ('waiting', 'skipped')`,
        [client_id, message_id, position, sentId],
      );
      if (done === 0) return;
      await tx.execute(
        `UPDATE message_fallbacks SET state = 'waiting', due_at = now() + after_seconds * interval '1 second', watched = $4,
                watched_created_at = to_timestamp($5 / 1000.0)
         WHERE client_id = $1 AND message_id = $2 AND position = $3 AND state = 'held'`,
        [client_id, message_id, position + 1, sentId, messageIdTime(sentId)],
      );
    });
  }

  /** One that cannot be accepted any more (its gateway is gone, say) makes way for the next at once. */
  private async failed({ client_id, message_id, position }: Claimed, problem: Problem): Promise<void> {
    this.logger.warn({ messageId: message_id, position, code: problem.code }, 'fallback refused');
    await this.database.transaction(async (tx) => {
      await tx.execute(
        `UPDATE message_fallbacks SET state = 'failed', error = $4, body = NULL, lease_until = NULL
         WHERE client_id = $1 AND message_id = $2 AND position = $3 AND state = 'waiting'`,
        [client_id, message_id, position, JSON.stringify({ code: problem.code, detail: problem.detail })],
      );
      await tx.execute(
        `UPDATE message_fallbacks SET state = 'waiting', due_at = now()
         WHERE client_id = $1 AND message_id = $2 AND position = $3 AND state = 'held'`,
        [client_id, message_id, position + 1],
      );
    });
  }

  private async skip({ client_id, message_id }: Claimed): Promise<void> {
    await this.database.transaction((tx) => skipFallbacks(tx, client_id, [message_id]));
  }

  private async postpone({ client_id, message_id, position }: Claimed): Promise<void> {
    await this.database.execute(
      `UPDATE message_fallbacks SET lease_until = now() + interval '${RETRY_SECONDS} seconds'
       WHERE client_id = $1 AND message_id = $2 AND position = $3 AND state = 'waiting'`,
      [client_id, message_id, position],
    );
  }
}
