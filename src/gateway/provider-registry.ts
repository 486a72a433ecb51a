import type { Channel } from '../kernel/channel';
import type { ProviderDefinition } from './contracts/provider-definition';

/** Every provider that this build knows. Filled while the modules are made; read-only for everyone after that. */
export class ProviderRegistry {
  private readonly byKey = new Map<string, ProviderDefinition>();
  /** Key, slug and aliases: the names that routes and requests may use. */
  private readonly byName = new Map<string, ProviderDefinition>();

  /** @throws Error when a name is taken: two providers under one name would swap tenants' messages */
  register(definition: ProviderDefinition): void {
    if (this.byKey.get(definition.key) === definition) return;
    for (const name of new Set([definition.key, definition.slug, ...definition.aliases])) {
      const other = this.byName.get(name);
      if (other) throw new Error(`the provider name "${name}" is used by both ${other.key} and ${definition.key}`);
      this.byName.set(name, definition);
    }
    this.byKey.set(definition.key, definition);
  }

  /** By provider key, e.g. `vonage`. */
  get(key: string): ProviderDefinition | undefined {
    return this.byKey.get(key);
  }

  /** By key, slug or alias, e.g. `nexmo`; in one channel when it is named. */
  find(name: string, channel?: Channel): ProviderDefinition | undefined {
    const definition = this.byName.get(name);
    return channel === undefined || definition?.channel === channel ? definition : undefined;
  }

  /** @throws Error for a key that is not registered: a fault of this build, not of a request */
  require(key: string): ProviderDefinition {
    const definition = this.byKey.get(key);
    if (!definition) throw new Error(`no provider "${key}" is registered`);
    return definition;
  }

  all(): ProviderDefinition[] {
    return [...this.byKey.values()];
  }

  inChannel(channel: Channel): ProviderDefinition[] {
    return this.all().filter((definition) => definition.channel === channel);
  }
}
