import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Problem } from '../../kernel/problem';
import { Secret } from '../../kernel/secret';
import type { SecretBox } from '../../platform/secrets/secret-box';
import type { ProviderRegistry } from '../provider-registry';
import type { ProviderConfig } from './provider-config';
import type { SecretResolver } from './secret-resolver';
import { SecretNotReadable, SecretSourceUnavailable } from './secret-sources';

/** One config's secrets, opened. */
export interface OpenedConfig {
  readonly configId: string;
  readonly version: number;
  /** `version`, and a little more each time that what is behind its references was found changed: below the next version. */
  readonly sessionVersion: number;
  /** By field name, without `_ref`; plain fields too. */
  readonly credentials: Readonly<Record<string, Secret | undefined>>;
  readonly urlToken: Secret;
}

/** A credential of a config that does not resolve. Its text names the field, never a value. */
export class UnresolvedCredential extends Error {
  constructor(
    readonly field: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(`credentials.${field}: ${reason}`, options);
    this.name = 'UnresolvedCredential';
  }

  /** The store that holds it cannot be asked right now: the config is not at fault. */
  get temporary(): boolean {
    return this.cause instanceof SecretSourceUnavailable;
  }
}

/** Opened secrets are read again after this, so that a changed file or a withdrawn permission takes effect. */
const KEEP_MS = 60_000;
const MOST_KEPT = 10_000;
/** So many changes behind references fit between two versions. */
const CHANGES_A_VERSION = 1_000_000;

/** What a config's credentials were when they were read last, as a hash. */
interface Seen {
  version: number;
  digest: string;
  changes: number;
}

/** Opens configs' credentials and callback tokens, and keeps them for a while by config id and version. */
export class ConfigSecrets {
  private readonly opened = new LRUCache<string, OpenedConfig>({ max: MOST_KEPT, ttl: KEEP_MS });
  private readonly seen = new LRUCache<string, Seen>({ max: MOST_KEPT });

  constructor(
    private readonly registry: ProviderRegistry,
    private readonly resolver: SecretResolver,
    private readonly box: SecretBox,
  ) {}

  /** What is kept of this version; undefined when it has to be read. */
  openSync(config: ProviderConfig): OpenedConfig | undefined {
    const kept = this.opened.get(config.id);
    return kept?.version === config.version ? kept : undefined;
  }

  /** @throws UnresolvedCredential */
  async open(config: ProviderConfig): Promise<OpenedConfig> {
    const kept = this.openSync(config);
    if (kept) return kept;
    const credentials = Object.freeze(await this.resolve(config));
    const opened: OpenedConfig = Object.freeze({
      configId: config.id,
      version: config.version,
      sessionVersion: this.sessionVersion(config, credentials),
      credentials,
      urlToken: this.box.open(config.callbackTokenSealed, callbackTokenContext(config.clientId, config.id)),
    });
    this.opened.set(config.id, opened);
    return opened;
  }

  /** A secret that was rotated behind its reference leaves the config's version as it is, but must not be hidden by sessions of the old one. */
  private sessionVersion(config: ProviderConfig, credentials: OpenedConfig['credentials']): number {
    const values = Object.entries(credentials).map(([name, value]) => [name, value?.reveal()]);
    const digest = createHash('sha256').update(JSON.stringify(values)).digest('base64');
    const before = this.seen.get(config.id);
    const known = before?.version === config.version ? before : { version: config.version, digest, changes: 0 };
    const changes = known.digest === digest ? known.changes : known.changes + 1;
    this.seen.set(config.id, { version: config.version, digest, changes });
    return config.version + changes / CHANGES_A_VERSION;
  }

  /** Reads every credential, past the cache. @throws UnresolvedCredential */
  async resolve(
    config: Pick<ProviderConfig, 'provider' | 'clientId' | 'credentials'>,
  ): Promise<Record<string, Secret | undefined>> {
    const resolved: Record<string, Secret | undefined> = {};
    for (const [name, field] of Object.entries(this.registry.require(config.provider).credentials)) {
      const plain = config.credentials[name];
      const ref = config.credentials[`${name}_ref`];
      if (plain !== undefined) resolved[name] = new Secret(plain);
      else if (ref !== undefined) resolved[name] = await this.readRef(name, ref, config.clientId);
      else if (field.required) throw new UnresolvedCredential(name, 'is missing');
    }
    return resolved;
  }

  /** The hash of the credential that tells the account; null when the provider has none or it does not resolve. */
  async fingerprint(config: Pick<ProviderConfig, 'provider' | 'clientId' | 'credentials'>): Promise<string | null> {
    const identifying = Object.entries(this.registry.require(config.provider).credentials).find(
      ([, field]) => field.identifiesAccount,
    );
    if (!identifying) return null;
    const [name] = identifying;
    const plain = config.credentials[name];
    if (plain !== undefined) return accountFingerprint(plain);
    const ref = config.credentials[`${name}_ref`];
    if (ref === undefined) return null;
    try {
      return accountFingerprint((await this.resolver.read(ref, config.clientId)).reveal());
    } catch (error) {
      // Without the hash its callbacks would not be found, and nothing would ever make it up.
      if (error instanceof SecretSourceUnavailable) throw secretStoreAway(`credentials.${name}_ref`, error);
      if (error instanceof SecretNotReadable) return null;
      throw error;
    }
  }

  forget(configId: string): void {
    this.opened.delete(configId);
  }

  private async readRef(name: string, ref: string, clientId: string): Promise<Secret> {
    try {
      return await this.resolver.read(ref, clientId);
    } catch (error) {
      if (error instanceof SecretNotReadable)
        throw new UnresolvedCredential(`${name}_ref`, error.message, { cause: error });
      throw error;
    }
  }
}

/** A change that needs a secret whose store is away: nothing was changed, the same call may work later. */
export function secretStoreAway(field: string, cause: Error): Problem {
  return Problem.unavailable(`${field} cannot be read right now: ${cause.message}`, cause);
}

export function accountFingerprint(account: string): string {
  return createHash('sha256').update(account, 'utf8').digest('hex');
}

/** What a config's callback token is sealed for. */
export function callbackTokenContext(clientId: string, configId: string): string {
  return `provider_configs.callback_token:${clientId}:${configId}`;
}
