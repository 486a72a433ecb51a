import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { APP_CONFIG, type AppConfig } from '../config/app-config';
import { CLOCK, type Clock } from '../kernel/clock';
import { TokenBucket } from '../kernel/token-bucket';
import { ChangeFeed } from '../platform/database/change-feed';
import { Database, statement } from '../platform/database/database';
import type { Principal, Scope } from './principal';
import { quotasOf, type Quotas } from './quotas';
import { SnapshotCache } from './snapshot-cache';
import { TENANT_CHANGED } from './tenant-directory';
import { tenantSettings } from './tenant-settings';
import type { TenantStatus } from './tenant.entity';

/** Topic of the change feed; its ids are client ids. */
export const API_KEYS_CHANGED = 'api_keys';

/** A key that exists, expired or not, of a tenant in any state. */
export interface KnownKey {
  readonly principal: Principal;
  readonly tenantStatus: TenantStatus;
  /** Milliseconds since the epoch; Infinity when it does not expire. */
  readonly expiresAt: number;
  /** Undefined: no limit. Shared by all that is known of this key over time. */
  readonly bucket: TokenBucket | undefined;
}

const KEEP_MS = 10_000;
const MOST_KEYS = 20_000;
/** A key that does not exist is not looked up again for a moment. Kept apart, so that guesses push no real key out. */
const KEEP_UNKNOWN_MS = 2_000;
const MOST_UNKNOWN = 5_000;

const READ = statement(
  'tenancy.key',
  `SELECT k.id, k.client_id, k.scopes, k.sandbox, k.expires_at, t.status, t.quotas, t.settings
   FROM api_keys k JOIN tenants t ON t.client_id = k.client_id WHERE k.hash = $1`,
);

interface Row {
  id: string;
  client_id: string;
  scopes: Scope[];
  sandbox: boolean;
  expires_at: Date | null;
  status: TenantStatus;
  quotas: Quotas;
  settings: Record<string, unknown>;
}

/** Finds API keys by the SHA-256 of their text (hex), from memory where it can. */
@Injectable()
export class KeyDirectory {
  private readonly cache: SnapshotCache<KnownKey>;
  private readonly unknown = new LRUCache<string, number>({ max: MOST_UNKNOWN });
  private readonly buckets = new LRUCache<string, TokenBucket>({ max: MOST_KEYS });

  constructor(
    private readonly database: Database,
    feed: ChangeFeed,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {
    this.cache = new SnapshotCache({ max: MOST_KEYS, keepMs: KEEP_MS, clock, load: (hash) => this.load(hash) });
    const forget = (clientId: string) => this.forget(clientId);
    const forgetAll = () => this.forgetAll();
    feed.on(API_KEYS_CHANGED, forget, forgetAll);
    feed.on(TENANT_CHANGED, forget, forgetAll);
  }

  /** What is in memory; never waits. */
  peek(hash: string): KnownKey | undefined {
    return this.cache.peek(hash);
  }

  async find(hash: string): Promise<KnownKey | undefined> {
    if (this.isKnownToBeWrong(hash)) return undefined;
    const known = await this.cache.get(hash);
    if (known === undefined) this.unknown.set(hash, this.clock.now() + KEEP_UNKNOWN_MS);
    return known;
  }

  /** True for a key that worked a while ago, which is no guess. */
  isFamiliar(hash: string): boolean {
    return this.cache.has(hash);
  }

  /** Drops a tenant's keys. Call after the commit of a change, so that the caller's next request sees it. */
  forget(clientId: string): void {
    this.unknown.clear();
    this.cache.forget((known) => known.principal.clientId === clientId);
  }

  private forgetAll(): void {
    this.unknown.clear();
    this.cache.clear();
  }

  private isKnownToBeWrong(hash: string): boolean {
    const until = this.unknown.get(hash);
    return until !== undefined && until > this.clock.now();
  }

  private async load(hash: string): Promise<KnownKey | undefined> {
    const [row] = await this.database.query<Row>(READ, [Buffer.from(hash, 'hex')]);
    if (row === undefined) return undefined;
    return {
      principal: Object.freeze({
        clientId: row.client_id,
        keyId: row.id,
        scopes: Object.freeze(row.scopes),
        sandbox: row.sandbox,
        limits: Object.freeze({ quotas: quotasOf(row.quotas), timeZone: tenantSettings(row.settings).timeZone }),
      }),
      tenantStatus: row.status,
      expiresAt: row.expires_at?.getTime() ?? Number.POSITIVE_INFINITY,
      bucket: this.bucketOf(row.id),
    };
  }

  private bucketOf(keyId: string): TokenBucket | undefined {
    const { rateLimit } = this.config;
    if (rateLimit === 0) return undefined;
    let bucket = this.buckets.get(keyId);
    if (bucket === undefined) this.buckets.set(keyId, (bucket = new TokenBucket(rateLimit, rateLimit * 2, this.clock)));
    return bucket;
  }
}
