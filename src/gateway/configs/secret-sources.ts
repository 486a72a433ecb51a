import { open, realpath } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import type { SecretEnvironment } from '../../config/secret-environment';
import { Secret } from '../../kernel/secret';
import { statement, type Database } from '../../platform/database/database';
import type { SecretBox } from '../../platform/secrets/secret-box';

/** A reference that does not give a secret. The text names the reference's kind of fault, never a value. */
export class SecretNotReadable extends Error {
  constructor(reason: string, options?: { cause?: unknown }) {
    super(reason, options);
    this.name = 'SecretNotReadable';
  }
}

/**
 * The store that holds the secret cannot be asked right now, or refuses this service as such. That says nothing of the reference: another
 * try may work.
 */
export class SecretSourceUnavailable extends SecretNotReadable {
  constructor(reason: string, options?: { cause?: unknown }) {
    super(reason, options);
    this.name = 'SecretSourceUnavailable';
  }
}

/** One place that `*_ref` fields may point to: `<scheme>:<reference>`. */
export interface SecretSource {
  readonly scheme: string;
  /** Whose the secrets are: the operator's need the operator's permission for each tenant. */
  readonly owner: 'operator' | 'tenant';
  /** What is wrong with the reference's form, or undefined. Reads nothing. */
  check(reference: string): string | undefined;
  /** @throws SecretNotReadable, SecretSourceUnavailable */
  read(reference: string, clientId: string): Promise<Secret>;
}

/** `db:sec_…`: sealed by us when it was given in clear. */
export class DatabaseSecrets implements SecretSource {
  readonly scheme = 'db';
  readonly owner = 'tenant';

  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  check(reference: string): string | undefined {
    return /^sec_[0-9a-z]{26}$/.test(reference) ? undefined : 'must be db:sec_…';
  }

  async read(reference: string, clientId: string): Promise<Secret> {
    const rows = await this.database.query<{ sealed: string }>(SELECT_SECRET, [reference, clientId]);
    if (!rows[0]) throw new SecretNotReadable('there is no such secret');
    try {
      return this.box.open(rows[0].sealed, secretContext(clientId, reference));
    } catch (cause) {
      throw new SecretNotReadable('the stored secret cannot be opened', { cause });
    }
  }
}

const SELECT_SECRET = statement('secrets.read', 'SELECT sealed FROM secrets WHERE id = $1 AND client_id = $2');

/** What a row of `secrets` is sealed for. */
export function secretContext(clientId: string, secretId: string): string {
  return `secrets:${clientId}:${secretId}`;
}

/** `env:NAME`: a variable of the process. */
export class EnvironmentSecrets implements SecretSource {
  readonly scheme = 'env';
  readonly owner = 'operator';

  constructor(private readonly environment: SecretEnvironment) {}

  check(reference: string): string | undefined {
    return this.environment.isReadable(reference) ? undefined : 'names a variable that cannot be read';
  }

  async read(reference: string): Promise<Secret> {
    const value = this.environment.read(reference);
    if (value === undefined) throw new SecretNotReadable('the variable is not set');
    return new Secret(value);
  }
}

const LARGEST_FILE = 64 * 1024;

/** `file:PATH`: a file under `UNIMSG_SECRETS_DIR`. */
export class FileSecrets implements SecretSource {
  readonly scheme = 'file';
  readonly owner = 'operator';

  /** @param directory undefined: no file is read */
  constructor(private readonly directory: string | undefined) {}

  check(reference: string): string | undefined {
    if (this.directory === undefined) return 'needs UNIMSG_SECRETS_DIR, which is not set';
    const parts = reference.split('/');
    if (
      reference === '' ||
      isAbsolute(reference) ||
      /[\0\\]/.test(reference) ||
      parts.some((part) => /^\.*$/.test(part))
    )
      return 'must be a path under the secrets directory';
    return undefined;
  }

  async read(reference: string): Promise<Secret> {
    const fault = this.check(reference);
    if (fault !== undefined) throw new SecretNotReadable(fault);
    try {
      const root = await realpath(this.directory!);
      const path = await realpath(join(root, reference));
      // A link inside the directory must not lead out of it. Mounted secrets are links (`..data/key`), so links as such are fine.
      if (!path.startsWith(root + sep)) throw new SecretNotReadable('the file is outside of the secrets directory');
      const file = await open(path, 'r');
      try {
        const { size } = await file.stat();
        if (size > LARGEST_FILE) throw new SecretNotReadable('the file is too large for a secret');
        // Editors and `echo` end a file with a line break that is no part of the secret.
        const value = (await file.readFile('utf8')).replace(/\r?\n$/, '');
        if (value === '') throw new SecretNotReadable('the file is empty');
        return new Secret(value);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof SecretNotReadable) throw error;
      throw new SecretNotReadable('the file cannot be read');
    }
  }
}
