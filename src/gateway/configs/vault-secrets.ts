import { readFile } from 'node:fs/promises';
import type { VaultSettings } from '../../config/app-config';
import type { Clock } from '../../kernel/clock';
import { Secret } from '../../kernel/secret';
import { HttpRequestError, type HttpClient, type HttpResponse } from '../../platform/http-client/http-client';
import { RemoteSecretCache } from './remote-secret-cache';
import { SecretNotReadable, SecretSourceUnavailable, type SecretSource } from './secret-sources';

const TIMEOUT_MS = 3_000;
const LARGEST_ANSWER = 256 * 1024;
const DEFAULT_FIELD = 'value';
const SEGMENT = /^[A-Za-z0-9_~.@:+=-]{1,128}$/;
const FIELD = /^[A-Za-z0-9_.@-]{1,128}$/;

type Fields = Readonly<Record<string, unknown>>;

interface VaultReference {
  /** Under `/v1/`, e.g. `secret/data/acme/twilio`. */
  path: string;
  field: string;
}

/**
 * `vault:<mount>/data/<path>#<field>`: one field of a secret of HashiCorp Vault's key-value engine, version 2, as its API spells the path; for
 * example `vault:secret/data/acme/twilio#auth_token`. Without `#<field>` the field is `value`. Always the newest version.
 */
export class VaultSecrets implements SecretSource {
  readonly scheme = 'vault';
  readonly owner = 'operator';
  private readonly cache: RemoteSecretCache<Fields>;

  /** @param settings undefined: nothing is read */
  constructor(
    private readonly settings: VaultSettings | undefined,
    private readonly http: HttpClient,
    clock: Clock,
  ) {
    this.cache = new RemoteSecretCache(clock);
  }

  check(reference: string): string | undefined {
    if (!this.settings) return 'needs VAULT_ADDR, which is not set';
    return parse(reference) ? undefined : 'must be vault:<mount>/data/<path>#<field>';
  }

  async read(reference: string): Promise<Secret> {
    const parsed = parse(reference);
    const { settings } = this;
    if (!settings || !parsed) throw new SecretNotReadable(this.check(reference) ?? 'cannot be read');
    // The fields of one secret share one call.
    const fields = await this.cache.read(parsed.path, () => this.fetch(settings, parsed.path));
    return fieldOf(fields, parsed.field);
  }

  private async fetch(settings: VaultSettings, path: string): Promise<Secret<Fields>> {
    const token = await tokenOf(settings);
    const answer = await this.get(settings, token, path);
    if (answer.status === 200) return fieldsOf(answer);
    if (answer.status === 403) throw await this.whyRefused(settings, token);
    // A deleted version is answered 404 too.
    if (answer.status === 404) throw new SecretNotReadable('Vault has no such secret');
    if (answer.status === 400) throw new SecretNotReadable('Vault refuses the path');
    throw away(`Vault answers ${answer.status}`);
  }

  /** A token of ours that has ended must not look like a tenant's mistake: every token may look itself up. */
  private async whyRefused(settings: VaultSettings, token: string): Promise<Error> {
    const self = await this.get(settings, token, 'auth/token/lookup-self');
    return self.status === 200
      ? new SecretNotReadable("Vault's policy does not let the service read this secret")
      : away("Vault refuses the service's token");
  }

  private async get(settings: VaultSettings, token: string, path: string): Promise<HttpResponse> {
    try {
      return await this.http.request({
        method: 'GET',
        url: `${settings.address}/v1/${path.split('/').map(encodeURIComponent).join('/')}`,
        headers: {
          'x-vault-token': token,
          'x-vault-request': 'true',
          ...(settings.namespace !== undefined && { 'x-vault-namespace': settings.namespace }),
        },
        timeoutMs: TIMEOUT_MS,
        maxBodyBytes: LARGEST_ANSWER,
      });
    } catch (error) {
      if (error instanceof HttpRequestError) throw away(`Vault cannot be reached (${error.reason})`, error);
      throw error;
    }
  }
}

function parse(reference: string): VaultReference | undefined {
  const [path = '', field = DEFAULT_FIELD, ...rest] = reference.split('#');
  const segments = path.split('/');
  const isPath = segments.every((segment) => SEGMENT.test(segment) && !/^\.+$/.test(segment));
  const data = segments.indexOf('data');
  if (rest.length > 0 || !isPath || !FIELD.test(field) || data < 1 || data === segments.length - 1) return undefined;
  return { path, field };
}

/** The file is read for each call: an agent beside the service writes a new token into it before the old one ends. */
async function tokenOf(settings: VaultSettings): Promise<string> {
  if (settings.token !== undefined) return settings.token.reveal();
  let token: string;
  try {
    token = (await readFile(settings.tokenFile!, 'utf8')).trim();
  } catch (error) {
    throw away('the file of VAULT_TOKEN_FILE cannot be read', error);
  }
  // What cannot be a header must not get as far as an error that quotes it.
  if (!/^[\x21-\x7e]{1,8192}$/.test(token)) throw away('the file of VAULT_TOKEN_FILE holds no token');
  return token;
}

/** `{"data": {"data": {"<field>": …}, "metadata": {…}}}` */
function fieldsOf(answer: HttpResponse): Secret<Fields> {
  let body: unknown;
  try {
    body = JSON.parse(answer.body.toString('utf8'));
  } catch {
    // The text is not passed on: a parser quotes what it read.
    throw away('Vault answers something that is not JSON');
  }
  const fields = memberOf(memberOf(body, 'data'), 'data');
  if (typeof fields !== 'object' || fields === null)
    throw new SecretNotReadable('this is no secret of a key-value engine of version 2');
  return new Secret(fields as Fields);
}

function fieldOf(secret: Secret<Fields>, field: string): Secret {
  const fields = secret.reveal();
  if (!Object.hasOwn(fields, field)) throw new SecretNotReadable('the secret in Vault has no such field');
  const value = fields[field];
  // A service account's key is often stored as the JSON object that it is.
  const text = typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
  if (text === '') throw new SecretNotReadable('the field of the secret in Vault is empty');
  return new Secret(text);
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function away(reason: string, cause?: unknown): SecretSourceUnavailable {
  return new SecretSourceUnavailable(reason, { cause });
}
