import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../kernel/logger';
import { Periodic } from '../kernel/periodic';
import { Database } from '../platform/database/database';
import { ERASE_CALLBACKS, ERASE_LATE_EVENTS } from './erasure.statements';

const EVERY_MS = 15 * 60_000;
const PAGE = 1_000;
/** Matches nothing: the address is not known any more, only which messages were the person's. */
const NEVER = '$.^';
const LOCK = 815_023;

interface Watched {
  id: string;
  client_id: string;
  recipient_hash: string;
  watched_from: string;
}

/** Providers report on messages for weeks: what they say of the messages of somebody who was erased is erased, too. */
@Injectable()
export class LateData {
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.task = new Periodic('late data of erased persons', EVERY_MS, () => this.run(), logger);
  }

  start(): void {
    this.task.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** One round over all that are watched. */
  async run(): Promise<void> {
    const watched = await this.database.query<Watched>(
      'SELECT id, client_id, recipient_hash, watched_from FROM erasures WHERE watched_until > now() ORDER BY id',
    );
    for (const one of watched) await this.look(one);
    await this.database.execute(
      'UPDATE erasures SET watched_until = NULL, watched_from = NULL WHERE watched_until <= now()',
    );
  }

  private async look({ id, client_id: clientId, recipient_hash: hash, watched_from }: Watched): Promise<void> {
    for (let from = watched_from, more = true; more && !this.task.stopping;) {
      [from, more] = await this.database.transaction(async (tx) => {
        const [lock] = await tx.query<{ taken: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS taken', [LOCK]);
        if (!lock!.taken) return [from, false] as const;
        const [row] = await tx.query<{ seen: number; last: string | null; provider_events: number }>(ERASE_CALLBACKS, [
          clientId,
          hash,
          NEVER,
          from,
          PAGE,
        ]);
        const { seen, last, provider_events: erased } = row!;
        // Nothing is told of a message without a callback.
        const events = seen > 0 ? await tx.execute(ERASE_LATE_EVENTS, [clientId, hash]) : 0;
        await tx.execute(
          `UPDATE erasures SET watched_from = $3,
             counts = counts || jsonb_build_object('provider_events', coalesce((counts ->> 'provider_events')::int, 0) + $4::int,
                                                   'events', coalesce((counts ->> 'events')::int, 0) + $5::int)
           WHERE client_id = $1 AND id = $2`,
          [clientId, id, last ?? from, erased, events],
        );
        return [last ?? from, seen === PAGE] as const;
      });
    }
  }
}
