import { randomBytes } from 'node:crypto';
import type { Clock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import type { Database, Transaction } from '../../platform/database/database';
import type { SecretBox } from '../../platform/secrets/secret-box';
import { forgetUncounted } from '../../tenancy/quotas';
import type { ProviderDefinition } from '../contracts/provider-definition';
import type { ProviderRegistry } from '../provider-registry';
import type { ConfigCredentials } from './config-credentials';
import { toProviderConfig, type ConfigDirectory } from './config-directory';
import { checkNewAddress, readConfigChanges, readNewConfig } from './config-input';
import { leaveError, type ConfigLifeCycle } from './config-life-cycle';
import type { ConfigSubscriber } from './config-subscriber';
import { callbackTokenContext, secretStoreAway, UnresolvedCredential, type ConfigSecrets } from './config-secrets';
import { LIFE_CYCLE, type ConfigAction, type ConfigStatus, type ProviderConfig } from './provider-config';
import { insertConfig, lockConfig, ProviderConfigEntity, updateConfig } from './provider-config.entity';

/** Keeps a tenant's snapshot small enough to be read at once. */
const MOST_CONFIGS = 500;
/** How often a change is planned again because another one came between. */
const MOST_TRIES = 20;

export interface ConfigList {
  /** Undefined: all but the decommissioned. */
  status?: ConfigStatus;
  /** The id after which the page begins. */
  after?: string;
  limit: number;
}

/** What the config service stands on. */
export interface ConfigServiceDeps {
  database: Database;
  registry: ProviderRegistry;
  directory: ConfigDirectory;
  credentials: ConfigCredentials;
  secrets: ConfigSecrets;
  lifeCycle: ConfigLifeCycle;
  subscriber: Pick<ConfigSubscriber, 'established'>;
  box: SecretBox;
  clock: Clock;
}

/** What a tenant does to its provider accounts. Every read and write is within the tenant. */
export class ConfigService {
  constructor(private readonly deps: ConfigServiceDeps) {}

  /** @throws Problem 400 that names every wrong field, 409 when the tenant has too many */
  async create(
    clientId: string,
    definition: ProviderDefinition,
    body: Record<string, unknown>,
  ): Promise<ProviderConfig> {
    const input = readNewConfig(definition, body);
    const id = newId('config');
    const now = new Date(this.deps.clock.now());
    const active = input.status === 'active';
    const prepared = await this.deps.credentials.prepare(
      { clientId, configId: id, definition },
      {},
      input.credentials,
      {
        mustResolve: active,
        now,
      },
    );
    const row: ProviderConfigEntity = {
      id,
      clientId,
      provider: definition.key,
      channel: definition.channel,
      displayName: input.displayName ?? definition.title,
      status: input.status,
      settings: input.settings,
      credentials: prepared.credentials,
      accountFingerprint: prepared.accountFingerprint,
      callbackToken: this.deps.box.seal(randomBytes(24).toString('base64url'), callbackTokenContext(clientId, id)),
      maxPerSecond: input.maxPerSecond,
      quotas: input.quotas,
      version: 1,
      lastError: null,
      errorSince: null,
      errorVersion: null,
      createdAt: now,
      updatedAt: now,
      activatedAt: active ? now : null,
    };
    const made = await this.write(clientId, async (tx) => {
      const [count] = await tx.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM provider_configs WHERE client_id = $1 AND status <> 'decommissioned'`,
        [clientId],
      );
      if (count!.count >= MOST_CONFIGS)
        throw new Problem(
          'conflict',
          `There are ${MOST_CONFIGS} configs already; decommission those that are not used.`,
        );
      await insertConfig(tx, row);
      await this.deps.credentials.write(tx, clientId, prepared);
      return row;
    });
    return this.deps.subscriber.established(made!);
  }

  /** Oldest first; answers up to `limit + 1`, so that the caller sees whether more follow. */
  async list(clientId: string, definition: ProviderDefinition, query: ConfigList): Promise<ProviderConfig[]> {
    const rows = await this.deps.database.tenant(clientId, (tx) => {
      const select = tx.manager
        .createQueryBuilder(ProviderConfigEntity, 'config')
        .where('config.clientId = :clientId AND config.provider = :provider', { clientId, provider: definition.key })
        .orderBy('config.id', 'ASC')
        .limit(query.limit + 1);
      if (query.after !== undefined) select.andWhere('config.id > :after', { after: query.after });
      if (query.status === undefined) select.andWhere(`config.status <> 'decommissioned'`);
      else select.andWhere('config.status = :status', { status: query.status });
      return select.getMany();
    });
    return rows.map((row) => toProviderConfig(row, this.deps.registry)!);
  }

  /** @throws Problem 404 */
  async get(clientId: string, definition: ProviderDefinition, id: string): Promise<ProviderConfig> {
    const row = await this.deps.database.tenant(clientId, (tx) => this.find(tx, clientId, definition, id));
    return toProviderConfig(row, this.deps.registry)!;
  }

  /** @throws Problem 400, 404, or 409 for a decommissioned one */
  async update(
    clientId: string,
    definition: ProviderDefinition,
    id: string,
    body: Record<string, unknown>,
  ): Promise<ProviderConfig> {
    const config = await this.change(clientId, definition, id, async (row) => {
      if (row.status === 'decommissioned') throw wrongStep(row, 'changed');
      const changes = readConfigChanges(definition, body, row.settings);
      checkNewAddress(definition, row, changes);
      const now = new Date(this.deps.clock.now());
      const mustResolve = row.status === 'active' || row.status === 'error';
      const owner = { clientId, configId: id, definition };
      const prepared = await this.deps.credentials.prepare(owner, row.credentials, changes.credentials, {
        mustResolve,
        now,
      });
      return async (tx) => {
        if (Object.keys(body).length === 0) return;
        row.displayName = changes.displayName ?? row.displayName;
        if (changes.maxPerSecond !== undefined) row.maxPerSecond = changes.maxPerSecond;
        if (changes.quotas !== undefined) {
          await forgetUncounted(tx, { clientId, scope: id }, row.quotas, changes.quotas);
          row.quotas = changes.quotas;
        }
        row.settings = changes.settings;
        row.credentials = prepared.credentials;
        row.accountFingerprint = prepared.accountFingerprint;
        row.version += 1;
        row.updatedAt = now;
        await updateConfig(tx, row);
        await this.deps.credentials.write(tx, clientId, prepared);
      };
    });
    return body.credentials === undefined ? config : this.deps.subscriber.established(config);
  }

  /** Takes a step of the life cycle. @throws Problem 404, or 409 for a step that its state does not allow */
  async act(
    clientId: string,
    definition: ProviderDefinition,
    id: string,
    action: ConfigAction,
  ): Promise<ProviderConfig> {
    const config = await this.change(clientId, definition, id, async (row) => {
      const { from, to } = LIFE_CYCLE[action];
      if (!from.includes(row.status)) throw wrongStep(row, PAST[action]);
      if (to === 'active') row.accountFingerprint = await this.requireResolved(row);
      return async (tx) => {
        const now = new Date(this.deps.clock.now());
        const leftError = row.status === 'error';
        leaveError(row, to, now);
        if (to === 'active') row.activatedAt ??= now;
        await updateConfig(tx, row);
        if (leftError) await this.deps.lifeCycle.tellLeftError(tx, row);
      };
    });
    return this.deps.subscriber.established(config);
  }

  /** As `decommission`, and the same again for one that is decommissioned already. */
  async remove(clientId: string, definition: ProviderDefinition, id: string): Promise<ProviderConfig> {
    const config = await this.get(clientId, definition, id);
    return config.status === 'decommissioned' ? config : this.act(clientId, definition, id, 'decommission');
  }

  private async requireResolved(row: ProviderConfigEntity): Promise<string | null> {
    try {
      await this.deps.secrets.resolve(row);
    } catch (error) {
      if (!(error instanceof UnresolvedCredential)) throw error;
      if (error.temporary) throw secretStoreAway(`credentials.${error.field}`, error);
      const message = `does not resolve: ${error.reason}`;
      throw new Problem('conflict', `credentials.${error.field} ${message}; the config cannot be activated.`, {
        errors: [
          { field: `credentials.${error.field}`, code: 'unresolved_reference', message: `${error.field} ${message}` },
        ],
        cause: error,
      });
    }
    return this.deps.secrets.fingerprint(row);
  }

  private async find(
    tx: Transaction,
    clientId: string,
    definition: ProviderDefinition,
    id: string,
  ): Promise<ProviderConfigEntity> {
    const row = await tx.manager.findOne(ProviderConfigEntity, { where: { id, clientId, provider: definition.key } });
    if (!row) throw Problem.notFound('config');
    return row;
  }

  /**
   * Changes a config in two steps: `plan` looks at it and reads what it needs, its answer writes. Nothing is read from elsewhere while
   * the row is locked; a config that was changed between the steps is planned again.
   */
  private async change(
    clientId: string,
    definition: ProviderDefinition,
    id: string,
    plan: (row: ProviderConfigEntity) => Promise<(tx: Transaction) => Promise<void>>,
  ): Promise<ProviderConfig> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const row = await this.deps.database.tenant(clientId, (tx) => this.find(tx, clientId, definition, id));
      const { version, status } = row;
      const apply = await plan(row);
      const changed = await this.write(clientId, async (tx) => {
        const current = await lockConfig(tx, { id, clientId, provider: definition.key });
        if (current?.version !== version || current.status !== status) return undefined;
        await apply(tx);
        return row;
      });
      if (changed) return changed;
    }
    throw new Problem('conflict', 'The config is being changed by others; try again.');
  }

  /** A change is told to every process with its commit, and holds in this one before the caller is answered. */
  private async write(
    clientId: string,
    work: (tx: Transaction) => Promise<ProviderConfigEntity | undefined>,
  ): Promise<ProviderConfig | undefined> {
    const row = await this.deps.database.tenant(clientId, async (tx) => {
      const changed = await work(tx);
      if (changed) await this.deps.directory.publish(tx, clientId);
      return changed;
    });
    if (!row) return undefined;
    this.deps.directory.forget(clientId);
    this.deps.lifeCycle.committed(clientId);
    return toProviderConfig(row, this.deps.registry);
  }
}

const PAST: Readonly<Record<ConfigAction, string>> = {
  activate: 'activated',
  pause: 'paused',
  resume: 'resumed',
  decommission: 'decommissioned',
};

function wrongStep(row: ProviderConfigEntity, step: string): Problem {
  return new Problem('conflict', `A config that is ${row.status} cannot be ${step}.`);
}
