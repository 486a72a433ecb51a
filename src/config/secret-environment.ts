import { ENVIRONMENT } from './app-config';

/**
 * Reads the variables that `env:` references of provider configs name. The service's own variables are never given out: they hold the
 * operator's keys, not a tenant's.
 */
export class SecretEnvironment {
  constructor(private readonly env: NodeJS.ProcessEnv) {}

  static ofProcess(): SecretEnvironment {
    return new SecretEnvironment(process.env);
  }

  /** Whether the name may be read at all. */
  isReadable(name: string): boolean {
    return (
      /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name) &&
      !/^(UNIMSG_|NODE_|PG|VAULT_|AZURE_)/i.test(name) &&
      !Object.hasOwn(ENVIRONMENT.shape, name.toUpperCase())
    );
  }

  /** Undefined when the variable is not set, empty or not readable. */
  read(name: string): string | undefined {
    return this.isReadable(name) && Object.hasOwn(this.env, name) ? this.env[name] || undefined : undefined;
  }
}
