import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../kernel/clock';
import { newClientId, newId } from '../kernel/ids';
import { Problem } from '../kernel/problem';
import type { Secret } from '../kernel/secret';
import { ChangeFeed } from '../platform/database/change-feed';
import { Database, type Transaction } from '../platform/database/database';
import { decodeCursor, encodeCursor } from '../platform/http/cursor';
import { SecretBox } from '../platform/secrets/secret-box';
import { hashApiKey, newApiKey, newSigningSecret } from './api-key';
import { ApiKeyEntity } from './api-key.entity';
import { KeyDirectory } from './key-directory';
import { lockTenant } from './tenant-lock';
import { forgetUncounted } from './quotas';
import { SCOPES } from './principal';
import { TENANT_CHANGED, TenantDirectory } from './tenant-directory';
import { SettingsListeners } from './settings/settings-listeners';
import { changedSettings } from './settings/settings-changes';
import type { UpdateSettingsDto } from './settings/settings.dto';
import { signingSecretContext, TenantEntity, type TenantQuotas, type TenantStatus } from './tenant.entity';

export interface NewTenant {
  name: string;
  /** Default: made from the name. */
  slug?: string;
  allowedSecretRefs?: string[];
  /** The first key; default: a new one. */
  apiKey?: Secret;
}

export interface CreatedTenant {
  clientId: string;
  name: string;
  createdAt: Date;
  apiKey: Secret;
  webhookSigningSecret: Secret;
}

export interface TenantChanges {
  name?: string;
  status?: TenantStatus;
  /** Null: none. */
  quotas?: TenantQuotas | null;
  allowedSecretRefs?: string[];
  settings?: UpdateSettingsDto;
}

const LIST = 'tenants';
const ENSURE_LOCK = 815_002;

/** Makes and changes tenants. */
@Injectable()
export class TenantService {
  constructor(
    private readonly database: Database,
    private readonly secrets: SecretBox,
    private readonly feed: ChangeFeed,
    private readonly directory: TenantDirectory,
    private readonly keys: KeyDirectory,
    private readonly listeners: SettingsListeners,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** With a first key that has every scope. Key and signing secret are in no later answer. */
  async create(input: NewTenant): Promise<CreatedTenant> {
    const created = await this.database.transaction((tx) => this.insert(tx, input));
    // Somebody may have tried the key of a fixed installation before it existed.
    this.forget(created.clientId);
    return created;
  }

  /**
   * The oldest tenant with this slug, made when there is none; `apiKey` works for it afterwards, with every scope. Any number of calls, in
   * any number of processes, make one tenant.
   */
  async ensure(input: NewTenant & { slug: string; apiKey: Secret }): Promise<{ clientId: string; created: boolean }> {
    const result = await this.database.transaction(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [ENSURE_LOCK]);
      const [known] = await tx.manager.find(TenantEntity, {
        where: { slug: input.slug },
        order: { createdAt: 'ASC', clientId: 'ASC' },
        take: 1,
      });
      if (known === undefined) return { clientId: (await this.insert(tx, input)).clientId, created: true };
      const hash = hashApiKey(input.apiKey);
      if (!(await tx.manager.existsBy(ApiKeyEntity, { hash, clientId: known.clientId }))) {
        await this.insertKey(tx, known.clientId, input.apiKey);
        await this.feed.publish(tx, TENANT_CHANGED, known.clientId);
      }
      return { clientId: known.clientId, created: false };
    });
    this.forget(result.clientId);
    return result;
  }

  /** @throws Problem not_found */
  async get(clientId: string): Promise<TenantEntity> {
    const tenant = await this.database.dataSource.manager.findOneBy(TenantEntity, { clientId });
    if (tenant === null) throw Problem.notFound('tenant');
    return tenant;
  }

  /** Newest first. */
  async list(limit: number, cursor?: string): Promise<{ tenants: TenantEntity[]; next: string | null }> {
    const query = this.database.dataSource.manager
      .createQueryBuilder(TenantEntity, 't')
      .orderBy('t.created_at', 'DESC')
      .addOrderBy('t.client_id', 'DESC')
      .limit(limit + 1);
    if (cursor !== undefined) {
      const [at, clientId] = decodeCursor(cursor, LIST, 2) as [string, string];
      if (!/^\d{1,14}$/.test(at)) throw Problem.field('cursor', 'invalid_cursor', 'is not a cursor of this list');
      query.where('(t.created_at, t.client_id) < (:at, :clientId)', { at: new Date(Number(at)), clientId });
    }
    const found = await query.getMany();
    const tenants = found.slice(0, limit);
    const last = tenants.at(-1);
    const next =
      found.length > limit && last !== undefined
        ? encodeCursor(LIST, String(last.createdAt.getTime()), last.clientId)
        : null;
    return { tenants, next };
  }

  /**
   * @param path where the settings are in the body, for the names of wrong fields
   * @throws Problem not_found, invalid_request
   */
  async update(clientId: string, changes: TenantChanges, path = ''): Promise<TenantEntity> {
    const tenant = await this.database.transaction(async (tx) => {
      const found = await this.lock(tx, clientId);
      if (changes.name !== undefined) found.name = changes.name;
      if (changes.status !== undefined) found.status = changes.status;
      if (changes.quotas !== undefined) {
        await forgetUncounted(tx, { clientId, scope: '' }, found.quotas, changes.quotas);
        found.quotas = { ...changes.quotas };
      }
      if (changes.allowedSecretRefs !== undefined) found.allowedSecretRefs = changes.allowedSecretRefs;
      const before = found.settings;
      if (changes.settings !== undefined)
        found.settings = { ...changedSettings(found.settings, changes.settings, path) };
      found.updatedAt = new Date(this.clock.now());
      const { name, status, quotas, allowedSecretRefs, settings, updatedAt } = found;
      await tx.manager
        .createQueryBuilder()
        .update(TenantEntity)
        .set({ name, status, quotas, allowedSecretRefs, settings: settings as object, updatedAt })
        .where({ clientId })
        .execute();
      if (changes.settings !== undefined) await this.listeners.changed(tx, clientId, before, settings);
      await this.feed.publish(tx, TENANT_CHANGED, clientId);
      return found;
    });
    this.forget(clientId);
    return tenant;
  }

  /** The old secret signs nothing from now on. @throws Problem not_found */
  async rotateSigningSecret(clientId: string): Promise<Secret> {
    const secret = newSigningSecret();
    await this.database.transaction(async (tx) => {
      await this.lock(tx, clientId);
      const webhookSigningSecret = this.secrets.seal(secret.reveal(), signingSecretContext(clientId));
      const updatedAt = new Date(this.clock.now());
      await tx.manager.update(TenantEntity, { clientId }, { webhookSigningSecret, updatedAt });
      await this.feed.publish(tx, TENANT_CHANGED, clientId);
    });
    this.forget(clientId);
    return secret;
  }

  private async insert(tx: Transaction, input: NewTenant): Promise<CreatedTenant> {
    const slug = input.slug ?? slugOf(input.name);
    const clientId = newClientId(slug);
    const now = new Date(this.clock.now());
    const webhookSigningSecret = newSigningSecret();
    const tenant = tx.manager.create(TenantEntity, {
      clientId,
      name: input.name,
      slug,
      status: 'active',
      quotas: {},
      allowedSecretRefs: input.allowedSecretRefs ?? [],
      webhookSigningSecret: this.secrets.seal(webhookSigningSecret.reveal(), signingSecretContext(clientId)),
      settings: {},
      createdAt: now,
      updatedAt: now,
    });
    await tx.manager.insert(TenantEntity, { ...tenant, settings: {} });
    const apiKey = input.apiKey ?? newApiKey();
    await this.insertKey(tx, clientId, apiKey);
    await this.feed.publish(tx, TENANT_CHANGED, clientId);
    return { clientId, name: tenant.name, createdAt: now, apiKey, webhookSigningSecret };
  }

  private async insertKey(tx: Transaction, clientId: string, key: Secret): Promise<void> {
    await tx.manager.insert(ApiKeyEntity, {
      id: newId('apiKey'),
      clientId,
      name: 'first key',
      hash: hashApiKey(key),
      scopes: [...SCOPES],
      sandbox: false,
      expiresAt: null,
      createdAt: new Date(this.clock.now()),
      lastUsedAt: null,
    });
  }

  private async lock(tx: Transaction, clientId: string): Promise<TenantEntity> {
    await lockTenant(tx, clientId);
    return tx.manager.findOneByOrFail(TenantEntity, { clientId });
  }

  private forget(clientId: string): void {
    this.directory.forget(clientId);
    this.keys.forget(clientId);
  }
}

/** `Café Zürich 24/7` becomes `cafe-zurich-24-7`. */
function slugOf(name: string): string {
  const slug = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 32)
    .replace(/-+$/, '');
  return slug || 'tenant';
}
