import type { TokenCredential } from '@azure/identity';
import type { AzureKeyVaultSettings } from '../../config/app-config';
import type { Clock } from '../../kernel/clock';
import { Secret } from '../../kernel/secret';
import type { HttpClient } from '../../platform/http-client/http-client';
import { azureHttpClient } from './azure-http-client';
import { RemoteSecretCache } from './remote-secret-cache';
import { SecretNotReadable, SecretSourceUnavailable, type SecretSource } from './secret-sources';

/** What we use of the SDK's client. */
interface KeyVault {
  getSecret(name: string, options: { version?: string; abortSignal: AbortSignal }): Promise<{ value?: string }>;
}

/** For one read, with the token that it may need first. */
const TIMEOUT_MS = 5_000;
/** Azure gives each secret a name of letters, digits and hyphens, and each version 32 hexadecimal digits. */
const REFERENCE = /^([0-9A-Za-z-]{1,127})(?:\/([0-9a-f]{32}))?$/;

/**
 * `azure-keyvault:<name>` or `azure-keyvault:<name>/<version>`: a secret of the Azure Key Vault that the operator has set, without a version
 * the newest. The SDK and its sign-in take half a second to load, so they are loaded when the first such secret is read.
 */
export class AzureKeyVaultSecrets implements SecretSource {
  readonly scheme = 'azure-keyvault';
  readonly owner = 'operator';
  private readonly cache: RemoteSecretCache;
  private client: Promise<KeyVault> | undefined;

  /**
   * @param settings undefined: nothing is read
   * @param credential who signs in; default: as the settings say
   */
  constructor(
    private readonly settings: AzureKeyVaultSettings | undefined,
    private readonly http: HttpClient,
    clock: Clock,
    private readonly credential?: TokenCredential,
  ) {
    this.cache = new RemoteSecretCache(clock);
  }

  check(reference: string): string | undefined {
    if (!this.settings) return 'needs AZURE_KEYVAULT_URL, which is not set';
    return REFERENCE.test(reference) ? undefined : 'must be azure-keyvault:<name> or azure-keyvault:<name>/<version>';
  }

  read(reference: string): Promise<Secret> {
    return this.cache.read(reference, () => this.fetch(reference));
  }

  private async fetch(reference: string): Promise<Secret> {
    const [, name, version] = REFERENCE.exec(reference) ?? [];
    if (!this.settings || name === undefined) throw new SecretNotReadable(this.check(reference) ?? 'cannot be read');
    let value: string | undefined;
    try {
      const client = await this.connected(this.settings);
      ({ value } = await client.getSecret(name, { version, abortSignal: AbortSignal.timeout(TIMEOUT_MS) }));
    } catch (error) {
      throw failureOf(error);
    }
    if (!value) throw new SecretNotReadable('the secret in the key vault is empty');
    return new Secret(value);
  }

  private connected(settings: AzureKeyVaultSettings): Promise<KeyVault> {
    this.client ??= this.connect(settings).catch((error: unknown) => {
      this.client = undefined;
      throw error;
    });
    return this.client;
  }

  private async connect(settings: AzureKeyVaultSettings): Promise<KeyVault> {
    const { SecretClient } = await import('@azure/keyvault-secrets');
    // One try: the caller decides what a failure leads to.
    const options = { httpClient: await azureHttpClient(this.http, TIMEOUT_MS), retryOptions: { maxRetries: 0 } };
    const credential = this.credential ?? (await credentialOf(settings, options));
    // A vault behind a name of the operator's own is not the resource that its challenge names.
    const isAzures = /\.vault\.[a-z.]+$/.test(new URL(settings.url).hostname);
    return new SecretClient(settings.url, credential, { ...options, disableChallengeResourceVerification: !isAzures });
  }
}

type PipelineOptions = {
  httpClient: Awaited<ReturnType<typeof azureHttpClient>>;
  retryOptions: { maxRetries: number };
};

async function credentialOf(settings: AzureKeyVaultSettings, options: PipelineOptions): Promise<TokenCredential> {
  const { ClientSecretCredential, ManagedIdentityCredential, WorkloadIdentityCredential } =
    await import('@azure/identity');
  const { tenantId, clientId, clientSecret, federatedTokenFile, authorityHost } = settings;
  const shared = { ...options, authorityHost, disableInstanceDiscovery: authorityHost !== undefined };
  if (clientSecret !== undefined)
    return new ClientSecretCredential(tenantId!, clientId!, clientSecret.reveal(), shared);
  if (federatedTokenFile !== undefined)
    return new WorkloadIdentityCredential({ ...shared, tenantId, clientId, tokenFilePath: federatedTokenFile });
  return clientId === undefined
    ? new ManagedIdentityCredential(options)
    : new ManagedIdentityCredential(clientId, options);
}

/** The SDK's own errors are not passed on, not as a cause either: they may hold the answer or the request. */
function failureOf(error: unknown): SecretNotReadable {
  const { name, statusCode, message = '' } = error as { name?: string; statusCode?: number; message?: string };
  // A sign-in that fails carries a status too, and says nothing of the secret.
  if (name !== 'RestError' || statusCode === undefined) {
    if (!/^((Aggregate)?Authentication(Required)?Error|CredentialUnavailableError)$/.test(name ?? ''))
      return new SecretSourceUnavailable('the key vault cannot be reached');
    // OAuth's own word, such as invalid_client, stands first.
    const word = /^([a-z]+_[a-z_]+):/.exec(message)?.[1];
    return new SecretSourceUnavailable(`Azure does not sign the service in${word === undefined ? '' : ` (${word})`}`);
  }
  if (statusCode === 404) return new SecretNotReadable('the key vault has no such secret or version');
  if (statusCode === 403) return new SecretNotReadable('the key vault does not let the service read this secret');
  if (statusCode === 400) return new SecretNotReadable('the key vault refuses the reference');
  return new SecretSourceUnavailable(`the key vault answers ${statusCode}`);
}
