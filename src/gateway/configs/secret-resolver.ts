import type { Secret } from '../../kernel/secret';
import { SecretNotReadable, type SecretSource } from './secret-sources';

/** Which of the operator's secrets a tenant may name: patterns such as `env:ACME_*` and `file:acme/*`. */
export interface SecretPermissions {
  allowedSecretRefs(clientId: string): Promise<readonly string[]>;
}

/** Why a reference is refused before it is read. */
export interface ReferenceFault {
  code: 'invalid_reference' | 'reference_not_allowed';
  message: string;
}

/** Reads what `*_ref` fields name, within what the tenant may name. */
export class SecretResolver {
  private readonly sources: ReadonlyMap<string, SecretSource>;

  constructor(
    sources: readonly SecretSource[],
    private readonly permissions: SecretPermissions,
  ) {
    this.sources = new Map(sources.map((source) => [source.scheme, source]));
  }

  /** What is wrong with a reference, without reading it. */
  async check(ref: string, clientId: string): Promise<ReferenceFault | undefined> {
    const [scheme, reference] = split(ref);
    const source = this.sources.get(scheme);
    if (!source) {
      return {
        code: 'invalid_reference',
        message: `must begin with ${[...this.sources.keys()].map((name) => `${name}:`).join(', ')}`,
      };
    }
    const fault = source.check(reference);
    // What may not be named and what cannot exist answer alike, so that a tenant learns nothing of the operator's secrets.
    if (source.owner === 'operator' && (fault !== undefined || !(await this.isAllowed(ref, clientId))))
      return { code: 'reference_not_allowed', message: 'the operator has not allowed this reference to you' };
    return fault === undefined ? undefined : { code: 'invalid_reference', message: fault };
  }

  /** @throws SecretNotReadable, and SecretSourceUnavailable where another try may work */
  async read(ref: string, clientId: string): Promise<Secret> {
    const fault = await this.check(ref, clientId);
    if (fault) throw new SecretNotReadable(fault.message);
    const [scheme, reference] = split(ref);
    return this.sources.get(scheme)!.read(reference, clientId);
  }

  private async isAllowed(ref: string, clientId: string): Promise<boolean> {
    return (await this.permissions.allowedSecretRefs(clientId)).some((pattern) => matches(pattern, ref));
  }
}

function split(ref: string): [scheme: string, reference: string] {
  const colon = ref.indexOf(':');
  return colon < 0 ? ['', ref] : [ref.slice(0, colon), ref.slice(colon + 1)];
}

/** `*` stands for any text, also with slashes: paths are checked for `..` before. */
function matches(pattern: string, ref: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(ref);
}
