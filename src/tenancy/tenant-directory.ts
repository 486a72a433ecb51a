import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../kernel/clock';
import { Problem } from '../kernel/problem';
import type { Secret } from '../kernel/secret';
import { ChangeFeed } from '../platform/database/change-feed';
import { Database, statement } from '../platform/database/database';
import { SecretBox } from '../platform/secrets/secret-box';
import { SnapshotCache } from './snapshot-cache';
import { tenantSettings, type TenantSettings } from './tenant-settings';
import { signingSecretContext, type TenantQuotas, type TenantStatus } from './tenant.entity';

/** Topic of the change feed; its ids are client ids. */
export const TENANT_CHANGED = 'tenant';

/** What the service knows of a tenant at the moment; frozen. */
export interface TenantSnapshot {
  readonly clientId: string;
  readonly name: string;
  readonly status: TenantStatus;
  readonly quotas: Readonly<TenantQuotas>;
  /** Patterns such as `env:ACME_*`. */
  readonly allowedSecretRefs: readonly string[];
  readonly settings: TenantSettings;
}

interface Kept {
  snapshot: TenantSnapshot;
  sealedSigningSecret: string;
}

/** The change feed tells of changes at once; this bounds how long one that was missed can matter. */
const KEEP_MS = 10_000;
const MOST_TENANTS = 10_000;

const READ = statement(
  'tenancy.tenant',
  `SELECT client_id, name, status, quotas, allowed_secret_refs, settings, webhook_signing_secret
   FROM tenants WHERE client_id = $1`,
);

interface Row {
  client_id: string;
  name: string;
  status: TenantStatus;
  quotas: TenantQuotas;
  allowed_secret_refs: string[];
  settings: Record<string, unknown>;
  webhook_signing_secret: string;
}

/** Answers who a tenant is, from memory. Told of changes in this process at once, in others by the change feed. */
@Injectable()
export class TenantDirectory {
  private readonly cache: SnapshotCache<Kept>;

  constructor(
    private readonly database: Database,
    private readonly secrets: SecretBox,
    feed: ChangeFeed,
    @Inject(CLOCK) clock: Clock,
  ) {
    this.cache = new SnapshotCache({ max: MOST_TENANTS, keepMs: KEEP_MS, clock, load: (id) => this.load(id) });
    feed.on(
      TENANT_CHANGED,
      (clientId) => this.forget(clientId),
      () => this.cache.clear(),
    );
  }

  /** @throws Problem not_found */
  async get(clientId: string): Promise<TenantSnapshot> {
    return (await this.kept(clientId)).snapshot;
  }

  /** As {@link get}, without a promise; undefined when it is not in memory. */
  peek(clientId: string): TenantSnapshot | undefined {
    return this.cache.peek(clientId)?.snapshot;
  }

  /** Which of the operator's secrets the tenant may name. */
  async allowedSecretRefs(clientId: string): Promise<readonly string[]> {
    return (await this.get(clientId)).allowedSecretRefs;
  }

  /** Signs what goes to the tenant's own receivers outside `/v1/webhooks` (Standard Webhooks, `whsec_…`). */
  async webhookSigningSecret(clientId: string): Promise<Secret> {
    return this.secrets.open((await this.kept(clientId)).sealedSigningSecret, signingSecretContext(clientId));
  }

  /** Call after the commit of a change, so that the caller's next request sees it. */
  forget(clientId: string): void {
    this.cache.forget((_, key) => key === clientId);
  }

  private async kept(clientId: string): Promise<Kept> {
    const kept = await this.cache.get(clientId);
    if (kept === undefined) throw Problem.notFound('tenant');
    return kept;
  }

  private async load(clientId: string): Promise<Kept | undefined> {
    const [row] = await this.database.query<Row>(READ, [clientId]);
    if (row === undefined) return undefined;
    const snapshot: TenantSnapshot = Object.freeze({
      clientId: row.client_id,
      name: row.name,
      status: row.status,
      quotas: Object.freeze(row.quotas),
      allowedSecretRefs: Object.freeze(row.allowed_secret_refs),
      settings: Object.freeze(tenantSettings(row.settings)),
    });
    return { snapshot, sealedSigningSecret: row.webhook_signing_secret };
  }
}
