import type { PublicUrl } from '../config/public-url';
import type { CallbackKind, GatewayContext } from './contracts/gateway';
import { GatewayError } from './contracts/gateway-error';
import type { ProviderDefinition } from './contracts/provider-definition';
import { UnresolvedCredential, type ConfigSecrets, type OpenedConfig } from './configs/config-secrets';
import type { ProviderConfig } from './configs/provider-config';
import type { ProviderRegistry } from './provider-registry';

/** What differs from call to call. */
export interface CallOptions {
  signal: AbortSignal;
  /** Default: the definition's limit. */
  timeoutMs?: number;
  /** Default 1. */
  attempt?: number;
  /** The message that callbacks of this call belong to; a gateway may name another one. */
  messageId?: string;
}

/** Makes the context of each call to a provider: credentials opened, callback URLs ready. */
export class GatewayCalls {
  constructor(
    private readonly registry: ProviderRegistry,
    private readonly secrets: ConfigSecrets,
    private readonly publicUrl: PublicUrl,
  ) {}

  /**
   * @throws GatewayError when a credential does not resolve, of class `config`, or `transient` while its store is away: nothing was sent
   */
  async contextFor(config: ProviderConfig, options: CallOptions): Promise<GatewayContext> {
    return this.contextForSync(config, options) ?? this.context(config, await this.open(config), options);
  }

  /** As {@link contextFor}, without a promise; undefined when the credentials have to be read first. */
  contextForSync(config: ProviderConfig, options: CallOptions): GatewayContext | undefined {
    const opened = this.secrets.openSync(config);
    return opened && this.context(config, opened, options);
  }

  /**
   * Where a config's provider reports, by kind, with the token in it where that is what proves a callback.
   * @throws GatewayError of class `config` when a credential does not resolve
   */
  async callbackUrls(config: ProviderConfig): Promise<Partial<Record<CallbackKind, string>>> {
    const definition = this.registry.require(config.provider);
    const opened = await this.open(config);
    const kinds = Object.keys(definition.callbacks) as CallbackKind[];
    return Object.fromEntries(
      kinds.map((kind) => [kind, this.callbackUrl(definition, config, opened, kind, undefined)]),
    );
  }

  private context(config: ProviderConfig, opened: OpenedConfig, options: CallOptions): GatewayContext {
    const definition = this.registry.require(config.provider);
    return {
      clientId: config.clientId,
      configId: config.id,
      configVersion: opened.sessionVersion,
      settings: config.settings,
      credentials: opened.credentials,
      callbackUrl: (kind, messageId = options.messageId) =>
        this.callbackUrl(definition, config, opened, kind, messageId),
      callbackToken: opened.urlToken,
      signal: options.signal,
      timeoutMs: options.timeoutMs ?? definition.limits.timeoutMs,
      attempt: options.attempt ?? 1,
      perSecond: config.perSecond,
    };
  }

  private callbackUrl(
    definition: ProviderDefinition,
    config: ProviderConfig,
    opened: OpenedConfig,
    kind: CallbackKind,
    messageId: string | undefined,
  ): string {
    let url = `${this.publicUrl.get()}/webhook/${definition.slug}/${kind}/${config.id}`;
    let separator = '?';
    if (messageId !== undefined) {
      url += `?message_id=${encodeURIComponent(messageId)}`;
      separator = '&';
    }
    if (needsUrlToken(definition, kind, opened.credentials))
      url += `${separator}token=${encodeURIComponent(opened.urlToken.reveal())}`;
    return url;
  }

  private async open(config: ProviderConfig): Promise<OpenedConfig> {
    try {
      return await this.secrets.open(config);
    } catch (error) {
      if (!(error instanceof UnresolvedCredential)) throw error;
      throw new GatewayError({
        class: error.temporary ? 'transient' : 'config',
        code: error.temporary ? 'secret_store_unavailable' : 'credentials_unresolved',
        message: error.message,
        cause: error,
      });
    }
  }
}

/** Whether an account's callbacks of a kind are proved by the token in their URL. Asks only which credentials there are. */
export function needsUrlToken(
  definition: ProviderDefinition,
  kind: CallbackKind,
  credentials: OpenedConfig['credentials'],
): boolean {
  const callback = definition.callbacks[kind];
  return callback?.authentication === 'url_token' || callback?.needsUrlToken?.(credentials) === true;
}
