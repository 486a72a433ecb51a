import { LRUCache } from 'lru-cache';
import { Not } from 'typeorm';
import { Problem } from '../../kernel/problem';
import type { ChangeFeed } from '../../platform/database/change-feed';
import type { Database, Transaction } from '../../platform/database/database';
import type { CallbackSecrets } from '../contracts/callback';
import type { ProviderRegistry } from '../provider-registry';
import { quotasOf } from '../../tenancy/quotas';
import { GatewayRoutesEntity } from '../routing/gateway-routes.entity';
import { TenantGateways } from '../routing/tenant-gateways';
import { accountFingerprint, UnresolvedCredential, type ConfigSecrets, type OpenedConfig } from './config-secrets';
import type { ProviderConfig } from './provider-config';
import { ProviderConfigEntity } from './provider-config.entity';

/** Topic of the change feed; its ids are client ids. */
export const GATEWAYS_CHANGED = 'gateways';

/** A config that a callback may belong to, with what proves it. */
export interface CallbackConfig {
  config: ProviderConfig;
  secrets: CallbackSecrets;
}

const MOST_TENANTS = 5_000;
const MOST_CALLBACK_KEYS = 20_000;
const MOST_UNKNOWN_KEYS = 5_000;
/** Most decommissioned configs of a tenant in its snapshot, the newest; there is no end to how many a tenant may have. */
const MOST_DECOMMISSIONED = 100;
/** The change feed tells of changes at once; this bounds how long one that was missed can matter. */
const KEEP_MS = 30_000;

/** Answers what configs and routes there are, from memory. Told of changes in this process at once, in others by the change feed. */
export class ConfigDirectory {
  private readonly snapshots = new LRUCache<string, TenantGateways>({ max: MOST_TENANTS, ttl: KEEP_MS });
  private readonly loading = new Map<string, Promise<TenantGateways>>();
  private readonly callbacks = new LRUCache<string, readonly ProviderConfig[]>({
    max: MOST_CALLBACK_KEYS,
    ttl: KEEP_MS,
  });
  /** By account. Apart from those by id, as a change of any tenant may add to it. */
  private readonly accounts = new LRUCache<string, readonly ProviderConfig[]>({
    max: MOST_CALLBACK_KEYS,
    ttl: KEEP_MS,
  });
  /** What callbacks named and nobody has; apart from the others, as anybody can add to it. */
  private readonly unknown = new LRUCache<string, true>({ max: MOST_UNKNOWN_KEYS, ttl: KEEP_MS });
  /** Grows with each change: what was loaded before a change is not kept after it. */
  private changes = 0;

  constructor(
    private readonly database: Database,
    private readonly registry: ProviderRegistry,
    private readonly secrets: ConfigSecrets,
    private readonly feed: ChangeFeed,
  ) {
    feed.on(
      GATEWAYS_CHANGED,
      (clientId) => this.forget(clientId),
      () => this.forgetAll(),
    );
  }

  /** Without decommissioned configs of long ago. */
  snapshotSync(clientId: string): TenantGateways | undefined {
    return this.snapshots.get(clientId);
  }

  async snapshot(clientId: string): Promise<TenantGateways> {
    const kept = this.snapshots.get(clientId) ?? this.loading.get(clientId);
    if (kept) return kept;
    const load = this.load(clientId);
    this.loading.set(clientId, load);
    try {
      return await load;
    } finally {
      if (this.loading.get(clientId) === load) this.loading.delete(clientId);
    }
  }

  /** A tenant's config in any state. */
  async config(clientId: string, configId: string): Promise<ProviderConfig | undefined> {
    const config = (await this.snapshot(clientId)).config(configId);
    if (config !== undefined) return config;
    const row = await this.database.tenant(clientId, (tx) =>
      tx.manager.findOne(ProviderConfigEntity, { where: { id: configId, clientId } }),
    );
    return row === null ? undefined : toProviderConfig(row, this.registry);
  }

  /**
   * The configs that a callback may belong to, of every tenant and in every state: a report may come long after a config was paused or
   * decommissioned. One config when the URL names it, else those of the account that the payload claims. A config whose secrets do not
   * resolve is left out: nothing can be proved for it.
   * @param slug the provider's slug or alias, from the path
   */
  async findForCallback(slug: string, by: { configId?: string; account?: string }): Promise<CallbackConfig[]> {
    const definition = this.registry.find(slug);
    if (!definition) return [];
    const configs = await this.configsForCallback(definition.key, by);
    const found: CallbackConfig[] = [];
    for (const config of configs) {
      const opened = this.secrets.openSync(config) ?? (await this.tryOpen(config));
      if (opened) found.push({ config, secrets: secretsOf(config, opened) });
    }
    return found;
  }

  /** As {@link findForCallback} for a URL that names the config, without a promise; undefined when something has to be read. */
  findForCallbackSync(slug: string, configId: string): CallbackConfig | undefined {
    const key = this.registry.find(slug)?.key;
    const config = key === undefined ? undefined : this.callbacks.get(`${key}/${configId}`)?.[0];
    const opened = config && this.secrets.openSync(config);
    return opened && { config, secrets: secretsOf(config, opened) };
  }

  /** Tells every process, once the transaction is committed, that a tenant's configs or routes changed. */
  async publish(tx: Transaction, clientId: string): Promise<void> {
    await this.feed.publish(tx, GATEWAYS_CHANGED, clientId);
  }

  /** Drops what is kept of a tenant. Call after a commit, so that the caller's next request sees the change. */
  forget(clientId: string): void {
    this.changes++;
    this.snapshots.delete(clientId);
    this.loading.delete(clientId);
    this.unknown.clear();
    this.accounts.clear();
    for (const [key, configs] of this.callbacks) {
      if (configs.some((config) => config.clientId === clientId)) this.callbacks.delete(key);
    }
  }

  private forgetAll(): void {
    this.changes++;
    this.snapshots.clear();
    this.loading.clear();
    this.callbacks.clear();
    this.accounts.clear();
    this.unknown.clear();
  }

  private async load(clientId: string): Promise<TenantGateways> {
    const before = this.changes;
    const snapshot = await this.database.tenant(clientId, async (tx) => {
      const living = await tx.manager.find(ProviderConfigEntity, {
        where: { clientId, status: Not('decommissioned') },
      });
      const gone = await tx.manager.find(ProviderConfigEntity, {
        where: { clientId, status: 'decommissioned' },
        order: { id: 'DESC' },
        take: MOST_DECOMMISSIONED,
      });
      const configs = [...living, ...gone].sort((a, b) => (a.id < b.id ? -1 : 1));
      const routes = await tx.manager.findOne(GatewayRoutesEntity, { where: { clientId } });
      return new TenantGateways(this.registry, this.known(configs), routes?.document ?? {});
    });
    if (this.changes === before) this.snapshots.set(clientId, snapshot);
    return snapshot;
  }

  private async configsForCallback(
    provider: string,
    by: { configId?: string; account?: string },
  ): Promise<readonly ProviderConfig[]> {
    if (by.configId === undefined && by.account === undefined) return [];
    const fingerprint = by.configId === undefined ? accountFingerprint(by.account!) : undefined;
    const key = `${provider}/${by.configId ?? fingerprint}`;
    const keep = by.configId === undefined ? this.accounts : this.callbacks;
    const kept = keep.get(key);
    if (kept) return kept;
    if (this.unknown.has(key)) return [];
    const before = this.changes;
    const where =
      by.configId === undefined ? { provider, accountFingerprint: fingerprint } : { provider, id: by.configId };
    const rows = await this.database.dataSource.manager.find(ProviderConfigEntity, { where, order: { id: 'ASC' } });
    const configs = this.known(rows);
    if (this.changes === before) {
      if (configs.length > 0) keep.set(key, configs);
      else this.unknown.set(key, true);
    }
    return configs;
  }

  private async tryOpen(config: ProviderConfig): Promise<OpenedConfig | undefined> {
    try {
      return await this.secrets.open(config);
    } catch (error) {
      if (!(error instanceof UnresolvedCredential)) throw error;
      // The provider is asked to report again: what it says could be proved a moment ago, and will be.
      if (error.temporary) throw Problem.unavailable('What proves this callback cannot be read right now.', error);
      return undefined;
    }
  }

  /** Rows of a provider that this build no longer has are left out. */
  private known(rows: readonly ProviderConfigEntity[]): ProviderConfig[] {
    return rows.flatMap((row) => toProviderConfig(row, this.registry) ?? []);
  }
}

function secretsOf(config: ProviderConfig, opened: OpenedConfig): CallbackSecrets {
  return { credentials: opened.credentials, settings: config.settings, urlToken: opened.urlToken };
}

/** Undefined for a provider that is not registered. */
export function toProviderConfig(row: ProviderConfigEntity, registry: ProviderRegistry): ProviderConfig | undefined {
  const definition = registry.get(row.provider);
  if (!definition) return undefined;
  const countries = row.settings.supported_countries;
  return Object.freeze({
    id: row.id,
    clientId: row.clientId,
    provider: row.provider,
    channel: row.channel,
    displayName: row.displayName,
    status: row.status,
    settings: Object.freeze(row.settings),
    credentials: Object.freeze(row.credentials),
    accountFingerprint: row.accountFingerprint,
    callbackTokenSealed: row.callbackToken,
    maxPerSecond: row.maxPerSecond,
    perSecond: row.maxPerSecond ?? definition.limits.defaultPerSecond,
    quotas: quotasOf(row.quotas),
    version: row.version,
    lastError: row.lastError,
    errorSince: row.errorSince,
    errorVersion: row.errorVersion,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    activatedAt: row.activatedAt,
    countries: Array.isArray(countries) && countries.length > 0 ? new Set<string>(countries as string[]) : null,
  });
}
