import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../kernel/clock';
import { idAt, newId } from '../kernel/ids';
import { LOGGER, type Logger } from '../kernel/logger';
import { Periodic } from '../kernel/periodic';
import { Problem } from '../kernel/problem';
import { Database } from '../platform/database/database';
import { SecretBox } from '../platform/secrets/secret-box';
import { PersonHashes } from '../tenancy/person-hashes';
import { ERASURE_COLUMNS, recipientContext, type ErasedCounts, type ErasureRow } from './erasure.row';
import { Eraser, type Erased } from './eraser';
import { personOf } from './person';

/** A request is answered when all is done, or when this time is over; then it goes on in the background. */
const IN_REQUEST_MS = 5_000;
/** As long as a process is at it, it renews this with every piece. */
const LEASE_MS = 30_000;
/** Before messages are asked for again that a worker had in hand. */
const PAUSE_MS = 250;
const LOOK_MS = 2_000;
/** Reports of a message come for so long after it was sent. */
const WATCHED_MS = 35 * 24 * 3_600_000;

/** Erases persons: within the request when it is quick, else in the background, by whichever process comes to it. */
@Injectable()
export class ErasureService {
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    private readonly secrets: SecretBox,
    private readonly hashes: PersonHashes,
    private readonly eraser: Eraser,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.task = new Periodic('erasures', LOOK_MS, () => this.resume(), logger);
  }

  start(): void {
    this.task.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /**
   * Answers the receipt: `completed`, or `running` when it takes longer than a request may.
   * @throws Problem for what names nobody
   */
  async erase(clientId: string, recipient: string): Promise<ErasureRow> {
    const person = personOf(recipient);
    const hash = await this.hashes.of(clientId);
    const id = newId('erasure');
    await this.database.tenant(clientId, (tx) =>
      tx.execute(
        `INSERT INTO erasures (id, client_id, recipient_hash, recipient, state, step, lease_until, created_at)
         VALUES ($1, $2, $3, $4, 'running', 'planned', to_timestamp($5 / 1000.0), to_timestamp($6 / 1000.0))`,
        [
          id,
          clientId,
          hash(person.address),
          this.secrets.seal(person.address, recipientContext(id)),
          this.clock.now() + LEASE_MS,
          this.clock.now(),
        ],
      ),
    );
    const until = performance.now() + IN_REQUEST_MS;
    try {
      await this.proceed(await this.get(clientId, id), () => performance.now() < until);
    } catch (error) {
      // It is noted, and goes on in the background.
      this.logger.warn({ err: error, erasureId: id }, 'erasure broken off');
      await this.giveUp(clientId, id).catch(() => {});
    }
    return this.get(clientId, id);
  }

  /** @throws Problem not_found */
  async get(clientId: string, id: string): Promise<ErasureRow> {
    const [row] = await this.database.tenant(clientId, (tx) =>
      tx.query<ErasureRow>(`SELECT ${ERASURE_COLUMNS} FROM erasures WHERE client_id = $1 AND id = $2`, [clientId, id]),
    );
    if (row === undefined) throw Problem.notFound('erasure');
    return row;
  }

  /** Newest first. `before`: the last id of the page before. */
  async list(clientId: string, before: string | null, limit: number): Promise<ErasureRow[]> {
    return this.database.tenant(clientId, (tx) =>
      tx.query<ErasureRow>(
        `SELECT ${ERASURE_COLUMNS} FROM erasures WHERE client_id = $1 AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
        [clientId, before, limit],
      ),
    );
  }

  /** Goes on with what other processes, or requests, left. */
  async resume(): Promise<void> {
    while (!this.task.stopping) {
      const [row] = await this.database.query<ErasureRow>(
        `UPDATE erasures SET lease_until = now() + $1 * interval '1 millisecond' WHERE id = (
           SELECT id FROM erasures WHERE state = 'running' AND (lease_until IS NULL OR lease_until < now())
           ORDER BY lease_until NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING ${ERASURE_COLUMNS}`,
        [LEASE_MS],
      );
      if (row === undefined) return;
      const until = performance.now() + LEASE_MS;
      await this.proceed(row, () => !this.task.stopping && performance.now() < until);
    }
  }

  private async proceed(row: ErasureRow, goesOn: () => boolean): Promise<void> {
    const clientId = row.client_id;
    const erased: Erased = {
      clientId,
      person: personOf(this.secrets.open(row.recipient!, recipientContext(row.id)).reveal()),
      hash: row.recipient_hash,
    };
    let place = { step: row.step, cursor: row.cursor };
    let counts: ErasedCounts = row.counts;
    while (goesOn()) {
      const { next, waits } = await this.eraser.piece(erased, place, async (tx, progress) => {
        counts = sum(counts, progress.counts);
        const done = progress.next === null;
        await tx.execute(
          `UPDATE erasures SET step = coalesce($3, step), cursor = coalesce($4::text[], cursor), counts = $5,
             lease_until = to_timestamp($6 / 1000.0),
             state = CASE WHEN $7 THEN 'completed' ELSE state END, recipient = CASE WHEN $7 THEN NULL ELSE recipient END,
             erased_at = CASE WHEN $7 THEN to_timestamp($8 / 1000.0) END, watched_until = CASE WHEN $7 THEN to_timestamp($9 / 1000.0) END,
             watched_from = CASE WHEN $7 THEN $10 END
           WHERE client_id = $1 AND id = $2`,
          [
            clientId,
            row.id,
            progress.next?.step ?? null,
            progress.next?.cursor ?? null,
            JSON.stringify(counts),
            this.clock.now() + LEASE_MS,
            done,
            this.clock.now(),
            this.clock.now() + WATCHED_MS,
            idAt('providerEvent', row.created_at.getTime()),
          ],
        );
      });
      if (next === null) return;
      place = next;
      if (waits) await sleep(PAUSE_MS);
    }
    await this.giveUp(clientId, row.id);
  }

  private async giveUp(clientId: string, id: string): Promise<void> {
    await this.database.tenant(clientId, (tx) =>
      tx.execute('UPDATE erasures SET lease_until = NULL WHERE client_id = $1 AND id = $2', [clientId, id]),
    );
  }
}

function sum(one: ErasedCounts, other: ErasedCounts): ErasedCounts {
  const total: ErasedCounts = { ...one };
  for (const [kind, count] of Object.entries(other) as Array<[keyof ErasedCounts, number]>)
    total[kind] = (total[kind] ?? 0) + count;
  return total;
}
