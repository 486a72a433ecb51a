import { newId } from '../../kernel/ids';
import type { FieldError } from '../../kernel/problem';
import type { Database, Transaction } from '../../platform/database/database';
import { invalidFields } from '../../platform/http/validation';
import type { SecretBox } from '../../platform/secrets/secret-box';
import type { ProviderDefinition } from '../contracts/provider-definition';
import { hasOwnHost, referenceError, type CredentialChanges } from './config-input';
import { accountFingerprint, secretStoreAway, type ConfigSecrets } from './config-secrets';
import { SecretEntity } from './secret.entity';
import type { SecretResolver } from './secret-resolver';
import { SecretNotReadable, SecretSourceUnavailable, secretContext } from './secret-sources';

interface Owner {
  clientId: string;
  configId: string;
  definition: ProviderDefinition;
}

/** Credentials as they are to be stored, with what is still to be written for them. */
export interface PreparedCredentials {
  credentials: Record<string, string>;
  accountFingerprint: string | null;
  sealed: SecretEntity[];
  /** `db:` secrets that nothing of this config names any more. */
  dropped: string[];
}

/** Turns what a tenant gave for credentials into what is stored: clear secrets sealed, references checked. */
export class ConfigCredentials {
  constructor(
    private readonly database: Database,
    private readonly resolver: SecretResolver,
    private readonly secrets: ConfigSecrets,
    private readonly box: SecretBox,
  ) {}

  /**
   * @param mustResolve read every reference that is named, and refuse those that give nothing
   * @throws Problem 400 that names every reference that is refused
   */
  async prepare(
    owner: Owner,
    current: Readonly<Record<string, string>>,
    changes: CredentialChanges,
    options: { mustResolve: boolean; now: Date },
  ): Promise<PreparedCredentials> {
    await this.checkReferences(owner, current, changes.kept, options.mustResolve);
    const credentials: Record<string, string> = { ...current };
    const dropped: string[] = [];
    const drop = (name: string): void => {
      const ref = credentials[`${name}_ref`];
      if (ref?.startsWith('db:')) dropped.push(ref.slice('db:'.length));
      delete credentials[name];
      delete credentials[`${name}_ref`];
    };
    for (const name of changes.removed) drop(name);
    for (const [spelling, value] of Object.entries(changes.kept)) {
      drop(fieldOf(owner.definition, spelling));
      credentials[spelling] = value;
    }
    const sealed: SecretEntity[] = [];
    for (const [name, value] of Object.entries(changes.clear)) {
      drop(name);
      const id = newId('secret');
      sealed.push({
        id,
        clientId: owner.clientId,
        configId: owner.configId,
        sealed: this.box.seal(value, secretContext(owner.clientId, id)),
        createdAt: options.now,
      });
      credentials[`${name}_ref`] = `db:${id}`;
    }
    const still = new Set(Object.values(credentials));
    return {
      credentials,
      accountFingerprint: await this.fingerprint(owner, credentials, changes),
      sealed,
      dropped: dropped.filter((id) => !still.has(`db:${id}`)),
    };
  }

  async write(tx: Transaction, clientId: string, prepared: PreparedCredentials): Promise<void> {
    if (prepared.sealed.length > 0) await tx.manager.insert(SecretEntity, prepared.sealed);
    for (const id of prepared.dropped) {
      // Another config of the tenant may name the same secret.
      await tx.execute(
        `DELETE FROM secrets WHERE id = $1 AND client_id = $2 AND NOT EXISTS (
           SELECT 1 FROM provider_configs c, jsonb_each_text(c.credentials) AS field
           WHERE c.client_id = $2 AND field.value = $3)`,
        [id, clientId, `db:${id}`],
      );
    }
  }

  private async checkReferences(
    owner: Owner,
    current: Readonly<Record<string, string>>,
    kept: Record<string, string>,
    mustResolve: boolean,
  ): Promise<void> {
    const { clientId } = owner;
    const errors: FieldError[] = [];
    for (const [spelling, ref] of Object.entries(kept)) {
      if (!spelling.endsWith('_ref')) continue;
      const fault = await this.resolver.check(ref, clientId);
      if (fault) errors.push(referenceError(spelling, fault.code, fault.message));
      else if (ref !== current[spelling] && (await this.isOfAnother(ref, owner)))
        errors.push(
          referenceError(spelling, 'reference_not_allowed', 'names a secret that was given to another account'),
        );
      // A reference to a stored secret that is not there can never come right, so it is refused in a draft too.
      else if (mustResolve || ref.startsWith('db:')) {
        const reason = await this.whyUnreadable(spelling, ref, clientId);
        if (reason !== undefined) errors.push(referenceError(spelling, 'unresolved_reference', reason));
      }
    }
    if (errors.length > 0) throw invalidFields(errors);
  }

  /**
   * Whether a reference names a secret that must not be used here. Configs of one provider may share one, as it goes to that provider only;
   * where the config itself says to which host it goes, it stays with the config that it was given to.
   */
  private async isOfAnother(ref: string, { clientId, configId, definition }: Owner): Promise<boolean> {
    if (!ref.startsWith('db:')) return false;
    const [secret] = await this.database.query<{ config_id: string; provider: string | null }>(
      `SELECT s.config_id, c.provider FROM secrets s
       LEFT JOIN provider_configs c ON c.id = s.config_id AND c.client_id = s.client_id WHERE s.id = $1 AND s.client_id = $2`,
      [ref.slice('db:'.length), clientId],
    );
    if (secret === undefined) return false;
    return hasOwnHost(definition) ? secret.config_id !== configId : secret.provider !== definition.key;
  }

  private async whyUnreadable(spelling: string, ref: string, clientId: string): Promise<string | undefined> {
    try {
      await this.resolver.read(ref, clientId);
      return undefined;
    } catch (error) {
      if (error instanceof SecretSourceUnavailable) throw secretStoreAway(`credentials.${spelling}`, error);
      if (error instanceof SecretNotReadable) return `does not resolve: ${error.message}`;
      throw error;
    }
  }

  private async fingerprint(
    owner: Owner,
    credentials: Record<string, string>,
    changes: CredentialChanges,
  ): Promise<string | null> {
    const [identifying] =
      Object.entries(owner.definition.credentials).find(([, field]) => field.identifiesAccount) ?? [];
    if (identifying === undefined) return null;
    // A new clear value is in no table yet.
    const clear = changes.clear[identifying];
    if (clear !== undefined) return accountFingerprint(clear);
    return this.secrets.fingerprint({ provider: owner.definition.key, clientId: owner.clientId, credentials });
  }
}

function fieldOf(definition: ProviderDefinition, spelling: string): string {
  return Object.hasOwn(definition.credentials, spelling) ? spelling : spelling.slice(0, -'_ref'.length);
}
