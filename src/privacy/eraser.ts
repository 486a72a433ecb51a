import { Injectable } from '@nestjs/common';
import { Problem } from '../kernel/problem';
import { MessageActions } from '../messaging/record/message-actions';
import { SUPPRESSIONS_CHANGED } from '../messaging/suppression/suppression-statements';
import { ChangeFeed } from '../platform/database/change-feed';
import { Database, type Transaction } from '../platform/database/database';
import { textArray } from '../platform/database/pg-array';
import { ERASURE_STEPS, type ErasedCounts, type ErasureStep } from './erasure.row';
import {
  DROP_SUPPRESSIONS,
  ENDPOINTS,
  ERASE_ALERTS,
  ERASE_CALLBACKS,
  ERASE_DELIVERIES,
  ERASE_FALLBACKS,
  ERASE_INBOUND,
  ERASE_MESSAGES,
  ERASE_PARTS,
  HASH_SUPPRESSIONS,
  PAGE_MAILS,
  PAGE_MESSAGES,
} from './erasure.statements';
import { eraseNotifications } from './notification-erasure';
import type { Person } from './person';

/** Where an erasure is. */
export interface Place {
  step: ErasureStep;
  cursor: string[];
}

/** What one piece of work did, and where the next one begins. */
export interface Progress {
  /** Null: all is done. */
  next: Place | null;
  counts: ErasedCounts;
  /** Some of the person's messages are in a worker's hand; they are asked for again, and it is no use to do so at once. */
  waits: boolean;
}

/** Who is erased. */
export interface Erased {
  clientId: string;
  person: Person;
  /** What stands in the place of the address. */
  hash: string;
}

/** Rows of one piece: each is a transaction of well under a second. */
const MESSAGES = 200;
const MAILS = 500;
const CALLBACKS = 1_000;
const DELIVERIES = 2_000;
/** Matches nothing. */
const NEVER = '$.^';
/** In the cursor: a message was passed over, so the step begins again. */
const PASSED_OVER = 'again';

/**
 * Takes one person's data out of the records of a tenant, piece by piece. Each piece can be done again without harm, so it may be broken off anywhere.
 * `commit` is called in the transaction of the piece.
 */
@Injectable()
export class Eraser {
  constructor(
    private readonly database: Database,
    private readonly actions: MessageActions,
    private readonly feed: ChangeFeed,
  ) {}

  async piece(
    erased: Erased,
    place: Place,
    commit: (tx: Transaction, progress: Progress) => Promise<void>,
  ): Promise<Progress> {
    const canceled = place.step === 'messages' || place.step === 'mails' ? await this.cancel(erased, place) : 0;
    // Before the transaction: a second connection inside it could wait for ever for others that do the same.
    const endpoint = place.step === 'deliveries' ? await this.endpoint(erased.clientId, place) : undefined;
    return this.database.tenant(erased.clientId, async (tx) => {
      const progress = await this.work(tx, erased, place, endpoint);
      if (canceled > 0) progress.counts.canceled = canceled;
      await commit(tx, progress);
      return progress;
    });
  }

  private work(tx: Transaction, erased: Erased, place: Place, endpoint: string | undefined): Promise<Progress> {
    switch (place.step) {
      case 'planned':
        return this.planned(tx, erased, place);
      case 'messages':
      case 'mails':
        return this.messages(tx, erased, place);
      case 'inbound':
        return this.inbound(tx, erased, place);
      case 'callbacks':
        return this.callbacks(tx, erased, place);
      case 'deliveries':
        return this.deliveries(tx, erased, place, endpoint);
      case 'others':
        return this.others(tx, erased);
    }
  }

  /** The person's messages of the piece that wait to be sent. Answers how many were canceled. */
  private async cancel(erased: Erased, place: Place): Promise<number> {
    const { hits } = await this.database.tenant(erased.clientId, (tx) => this.page(tx, erased, place));
    let canceled = 0;
    for (const { id } of hits.filter(({ open }) => open)) {
      try {
        await this.actions.cancel(erased.clientId, id);
        canceled += 1;
      } catch (error) {
        // A worker has it in hand, or had.
        if (!(error instanceof Problem) || error.status >= 500) throw error;
      }
    }
    return canceled;
  }

  private async page(
    tx: Transaction,
    { clientId, person }: Erased,
    { step, cursor }: Place,
  ): Promise<{ hits: Array<{ id: string; at: string; open: boolean }>; last: string[] | null }> {
    if (step === 'messages') {
      const rows = await tx.query<{ id: string; at: string; open: boolean }>(PAGE_MESSAGES, [
        clientId,
        person.address,
        cursor[1] ?? '',
        MESSAGES,
      ]);
      return { hits: rows, last: rows.length < MESSAGES ? null : ['', rows.at(-1)!.id] };
    }
    if (!person.isEmail) return { hits: [], last: null };
    const rows = await tx.query<{ id: string; at: string; open: boolean; hit: boolean }>(PAGE_MAILS, [
      clientId,
      person.address,
      cursor[0] || '-infinity',
      cursor[1] ?? '',
      MAILS,
    ]);
    const last = rows.at(-1);
    return { hits: rows.filter(({ hit }) => hit), last: rows.length < MAILS ? null : [last!.at, last!.id] };
  }

  private async planned(tx: Transaction, erased: Erased, place: Place): Promise<Progress> {
    const { clientId, person, hash } = erased;
    const counts: ErasedCounts = {};
    if (place.cursor.length === 0)
      counts.fallbacks = await tx.execute(ERASE_FALLBACKS, [clientId, person.address, hash]);
    const page = await eraseNotifications(tx, erased, person.pattern ?? NEVER, place.cursor[0] ?? '');
    counts.notifications = page.notifications;
    if (page.waits) return { counts, next: place, waits: true };
    const next = page.last === null ? after('planned') : { step: place.step, cursor: [page.last] };
    return { counts, next, waits: false };
  }

  private async messages(tx: Transaction, erased: Erased, place: Place): Promise<Progress> {
    const { clientId, person, hash } = erased;
    const { hits, last } = await this.page(tx, erased, place);
    const free = hits.filter(({ open }) => !open);
    const counts: ErasedCounts = {};
    if (free.length > 0) {
      const [row] = await tx.query<{ messages: number; events: number; fallbacks: number }>(ERASE_MESSAGES, [
        clientId,
        textArray(free.map(({ id }) => id)),
        textArray(free.map(({ at }) => at)),
        person.address,
        hash,
        person.pattern ?? NEVER,
        replacement(person),
      ]);
      Object.assign(counts, row);
    }
    const again = place.cursor[2] === PASSED_OVER || free.length < hits.length;
    if (last !== null) {
      return { counts, waits: false, next: { step: place.step, cursor: [...last, ...(again ? [PASSED_OVER] : [])] } };
    }
    return again
      ? { counts, waits: true, next: { step: place.step, cursor: [] } }
      : { counts, waits: false, next: after(place.step) };
  }

  private async inbound(tx: Transaction, { clientId, person, hash }: Erased, place: Place): Promise<Progress> {
    const [row] = await tx.query<{ inbound: number; last: string | null; events: number; deliveries: number }>(
      ERASE_INBOUND,
      [clientId, person.address, hash, person.pattern ?? NEVER, replacement(person), place.cursor[0] ?? '', MESSAGES],
    );
    const { inbound, last, events, deliveries } = row!;
    const next = inbound < MESSAGES ? after('inbound') : { step: place.step, cursor: [last!] };
    return { counts: { inbound, events, deliveries }, next, waits: false };
  }

  private async callbacks(tx: Transaction, { clientId, person, hash }: Erased, place: Place): Promise<Progress> {
    const [row] = await tx.query<{ seen: number; last: string | null; provider_events: number }>(ERASE_CALLBACKS, [
      clientId,
      hash,
      person.pattern ?? NEVER,
      place.cursor[0] ?? '',
      CALLBACKS,
    ]);
    const { seen, last, provider_events } = row!;
    const next = seen < CALLBACKS ? after('callbacks') : { step: place.step, cursor: [last!] };
    return { counts: { provider_events }, next, waits: false };
  }

  private async deliveries(
    tx: Transaction,
    { clientId, person, hash }: Erased,
    { step, cursor: [, from] }: Place,
    endpoint: string | undefined,
  ): Promise<Progress> {
    if (endpoint === undefined) return { counts: {}, next: after('deliveries'), waits: false };
    const [row] = await tx.query<{ seen: number; last: string | null; deliveries: number }>(ERASE_DELIVERIES, [
      clientId,
      hash,
      person.pattern ?? NEVER,
      endpoint,
      from ?? '',
      DELIVERIES,
    ]);
    const { seen, last, deliveries } = row!;
    const cursor = seen < DELIVERIES ? [endpoint] : [endpoint, last!];
    return { counts: { deliveries }, next: { step, cursor }, waits: false };
  }

  /**
   * The endpoint whose deliveries come now; undefined: there is none left. In the system's scope: behind the fence each endpoint of the others would be
   * looked at row by row.
   */
  private async endpoint(clientId: string, { cursor: [current, from] }: Place): Promise<string | undefined> {
    if (current && from) return current;
    const [row] = await this.database.query<{ endpoint_id: string }>(ENDPOINTS, [clientId, current ?? '']);
    return row?.endpoint_id;
  }

  private async others(tx: Transaction, { clientId, person, hash }: Erased): Promise<Progress> {
    const hashed = await tx.execute(HASH_SUPPRESSIONS, [clientId, person.address, hash]);
    const dropped = await tx.execute(DROP_SUPPRESSIONS, [clientId, person.address]);
    if (hashed + dropped > 0) await this.feed.publish(tx, SUPPRESSIONS_CHANGED, clientId);
    await tx.execute(ERASE_PARTS, [clientId, person.address]);
    const alerts = await tx.execute(ERASE_ALERTS, [clientId, person.pattern ?? NEVER, replacement(person)]);
    return { counts: { suppressions: hashed + dropped, alerts }, next: null, waits: false };
  }
}

/** What stands for the address inside texts: digits, where it may be a number in JSON. */
function replacement({ address }: Person): string {
  return /^[+-]?\d+$/.test(address) ? '0' : 'erased';
}

function after(step: ErasureStep): Place {
  return { step: ERASURE_STEPS[ERASURE_STEPS.indexOf(step) + 1]!, cursor: [] };
}
