import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { BloomFilter } from '../../kernel/bloom-filter';
import { CLOCK, type Clock } from '../../kernel/clock';
import { ChangeFeed } from '../../platform/database/change-feed';
import { Database } from '../../platform/database/database';
import { textArray } from '../../platform/database/pg-array';
import { ERASED_PREFIX, PersonHashes, type PersonHash } from '../../tenancy/person-hashes';
import { addressesOf, type SuppressionReason } from './suppression';
import { SUPPRESSIONS_CHANGED } from './suppression-statements';

/** Whom a message goes to. */
export interface Addressed {
  clientId: string;
  channel: string;
  recipient: string;
  content: object | null;
}

/** A recipient of a message who is on the list. */
export interface Suppressed {
  recipient: string;
  reason: SuppressionReason;
}

interface TenantList {
  filter: BloomFilter;
  /** Set when somebody whose data were erased is on the list, by a hash. */
  hash?: PersonHash;
  freshUntil: number;
}

/** The change feed tells of changes at once; this bounds how long one that was missed can matter. A long list is read less often. */
const KEEP_MS = 30_000;
const KEEP_MS_PER_ENTRY = 1;
const MOST_TENANTS = 20_000;
const MOST_BYTES = 128 * 1024 * 1024;
const PAGE = 10_000;
/** Room for entries that come while the list is kept. */
const HEADROOM = 200;

/**
 * Answers whether a message goes to somebody who is on the tenant's list, before each attempt. Of each tenant it keeps a filter, which says "nobody"
 * for certain and without a promise, for a tenant without a list at the cost of one look into a map; only "perhaps" asks the database.
 */
@Injectable()
export class SuppressionDirectory {
  private readonly lists = new LRUCache<string, TenantList>({
    max: MOST_TENANTS,
    maxSize: MOST_BYTES,
    sizeCalculation: ({ filter }) => filter.bytes + 100,
  });
  private readonly loading = new Map<string, { list: Promise<TenantList>; added: string[]; stale: boolean }>();

  constructor(
    private readonly database: Database,
    private readonly hashes: PersonHashes,
    feed: ChangeFeed,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    feed.on(
      SUPPRESSIONS_CHANGED,
      (id) => this.changed(id),
      () => this.forgetAll(),
    );
  }

  /** True: nobody of the recipients is on the list, for certain. False: ask {@link find}. */
  isClear(message: Addressed): boolean {
    const list = this.lists.get(message.clientId);
    return list !== undefined && list.freshUntil > this.clock.now() && isClearOf(list, message);
  }

  /** The recipients of a message who are on the list. */
  async find(message: Addressed): Promise<Suppressed[]> {
    return isClearOf(await this.list(message.clientId), message) ? [] : this.look(message);
  }

  /** The same without the filter: what is committed at this moment. */
  async look({ clientId, channel, ...message }: Addressed): Promise<Suppressed[]> {
    const hash = await this.hashes.known(clientId);
    const addresses = withHashes(addressesOf(channel, message.recipient, message.content), hash);
    return this.database.tenant(clientId, (tx) =>
      tx.query<Suppressed>(
        'SELECT recipient, reason FROM suppressions WHERE client_id = $1 AND channel = $2 AND recipient = ANY($3::text[]) ORDER BY recipient',
        [clientId, channel, textArray(addresses)],
      ),
    );
  }

  /** Call after the commit of an entry, so that the caller's next request sees it. Whoever was taken off is found out by asking. */
  added(clientId: string, channel: string, recipient: string): void {
    const key = keyOf(channel, recipient);
    this.loading.get(clientId)?.added.push(key);
    const list = this.lists.peek(clientId);
    if (!list) return;
    if (list.filter.size < list.filter.capacity) list.filter.add(key);
    else this.lists.delete(clientId);
  }

  /** Drops what is kept of a tenant: too much was entered to tell of each. */
  forget(clientId: string): void {
    this.lists.delete(clientId);
    const load = this.loading.get(clientId);
    if (load) load.stale = true;
    this.loading.delete(clientId);
  }

  private changed(id: string): void {
    const [clientId, channel, ...rest] = id.split('/');
    if (channel === undefined) this.forget(clientId!);
    else this.added(clientId!, channel, rest.join('/'));
  }

  private forgetAll(): void {
    for (const load of this.loading.values()) load.stale = true;
    this.loading.clear();
    this.lists.clear();
  }

  private async list(clientId: string): Promise<TenantList> {
    const kept = this.lists.get(clientId);
    if (kept && kept.freshUntil > this.clock.now()) return kept;
    const running = this.loading.get(clientId);
    if (running) return running.list;
    const load = { added: [] as string[], stale: false, list: undefined as unknown as Promise<TenantList> };
    this.loading.set(clientId, load);
    load.list = this.load(clientId).then((list) => {
      for (const key of load.added) list.filter.add(key);
      if (!load.stale) this.lists.set(clientId, list);
      return list;
    });
    try {
      return await load.list;
    } finally {
      if (this.loading.get(clientId) === load) this.loading.delete(clientId);
    }
  }

  private async load(clientId: string): Promise<TenantList> {
    return this.database.tenant(clientId, async (tx) => {
      const [count] = await tx.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM suppressions WHERE client_id = $1',
        [clientId],
      );
      const entries = count!.n;
      const filter = new BloomFilter(entries === 0 ? HEADROOM : Math.ceil(entries * 1.2) + HEADROOM);
      const freshUntil = this.clock.now() + KEEP_MS + entries * KEEP_MS_PER_ENTRY;
      let after = { channel: '', recipient: '' };
      let erased = false;
      while (entries > 0) {
        const rows = await tx.query<{ channel: string; recipient: string }>(
          `SELECT channel, recipient FROM suppressions WHERE client_id = $1 AND (channel, recipient) > ($2, $3)
           ORDER BY channel, recipient LIMIT ${PAGE}`,
          [clientId, after.channel, after.recipient],
        );
        for (const row of rows) {
          filter.add(keyOf(row.channel, row.recipient));
          if (row.recipient.startsWith(ERASED_PREFIX)) erased = true;
        }
        if (rows.length < PAGE) break;
        after = rows.at(-1)!;
      }
      const hash = erased ? await this.hashes.known(clientId) : undefined;
      return { filter, freshUntil, ...(hash && { hash }) };
    });
  }
}

function isClearOf({ filter, hash }: TenantList, { channel, recipient, content }: Addressed): boolean {
  if (filter.size === 0) return true;
  const addresses = withHashes(addressesOf(channel, recipient, content), hash);
  return !addresses.some((address) => filter.mayHave(keyOf(channel, address)));
}

/** The addresses as lists spell them, and as they spell who was erased. */
function withHashes(addresses: string[], hash: PersonHash | undefined): string[] {
  return hash === undefined ? addresses : [...addresses, ...addresses.map(hash)];
}

function keyOf(channel: string, recipient: string): string {
  return `${channel}/${recipient}`;
}
