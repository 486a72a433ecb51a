import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpClient } from '../../src/platform/http-client/http-client';

const VAULT_HOST = 'acme.vault.azure.net';
const LOGIN_HOST = 'login.microsoftonline.com';
/** Where a virtual machine of Azure asks for a token of its own identity. */
const MACHINE_HOST = '169.254.169.254';
const TENANT = '11111111-2222-3333-4444-555555555555';

interface Answer {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** A stand-in of Azure Key Vault's REST API and of the sign-in in front of it, as their documentation describes them. */
export class FakeKeyVault {
  static readonly url = `https://${VAULT_HOST}`;
  static readonly tenant = TENANT;
  /** Versions by secret name, the newest last. */
  readonly secrets = new Map<string, Array<{ version: string; value: string }>>();
  /** Secrets that the application may not read. */
  readonly forbidden = new Set<string>();
  readonly clients = new Map<string, string>();
  readonly requests: Array<{ host: string; method: string; target: string; body: string; token: string | undefined }> =
    [];
  /** The vault answers every request with this status. */
  status: number | undefined;
  url = '';
  private readonly issued = new Set<string>();
  private readonly server = createServer((request, response) => {
    void this.serve(request).then(({ status, body, headers }) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body)),
    );
  });

  static async start(): Promise<FakeKeyVault> {
    const vault = new FakeKeyVault();
    vault.server.listen(0, '127.0.0.1');
    await once(vault.server, 'listening');
    vault.url = `http://127.0.0.1:${(vault.server.address() as AddressInfo).port}`;
    return vault;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** Takes what is meant for Azure's hosts to this server, over a socket. The SDKs speak to nothing but https. */
  divert(http: HttpClient): HttpClient {
    return {
      request: (request) => {
        const { host, pathname, search } = new URL(request.url);
        return http.request({
          ...request,
          url: this.url + pathname + search,
          headers: { ...request.headers, 'x-was-for': host },
        });
      },
    };
  }

  private async serve(request: IncomingMessage): Promise<Answer> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const host = String(request.headers['x-was-for']);
    const token = request.headers.authorization?.replace(/^Bearer /, '');
    this.requests.push({ host, method: request.method!, target: request.url!, body, token });
    if (host === MACHINE_HOST) return this.identify(new URL(request.url!, FakeKeyVault.url), request.headers.metadata);
    if (host === LOGIN_HOST) return this.signIn(new URL(request.url!, FakeKeyVault.url).pathname, body);
    return this.read(new URL(request.url!, FakeKeyVault.url), token);
  }

  /** A token for the identity of the machine, or for a further one that it has by its client id. */
  private identify(url: URL, metadata: unknown): Answer {
    const identity = url.searchParams.get('client_id') ?? 'machine';
    if (metadata !== 'true' || !this.clients.has(identity))
      return {
        status: 400,
        body: { error: 'invalid_request', error_description: 'Required metadata header not specified' },
      };
    const expires = String(Math.floor(Date.now() / 1000) + 3600);
    const resource = 'https://vault.azure.net';
    const body = {
      access_token: this.issue(),
      expires_in: '3599',
      expires_on: expires,
      resource,
      token_type: 'Bearer',
    };
    return { status: 200, body };
  }

  private issue(): string {
    const token = `token-${this.issued.size + 1}`;
    this.issued.add(token);
    return token;
  }

  private signIn(path: string, body: string): Answer {
    const base = `https://${LOGIN_HOST}/${TENANT}`;
    if (path === '/common/discovery/instance')
      return {
        status: 200,
        body: {
          tenant_discovery_endpoint: `${base}/v2.0/.well-known/openid-configuration`,
          'api-version': '1.1',
          metadata: [],
        },
      };
    if (path === `/${TENANT}/v2.0/.well-known/openid-configuration`)
      return {
        status: 200,
        body: {
          token_endpoint: `${base}/oauth2/v2.0/token`,
          authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
          issuer: `${base}/v2.0`,
          jwks_uri: `${base}/discovery/v2.0/keys`,
        },
      };
    const form = new URLSearchParams(body);
    const known = this.clients.get(form.get('client_id') ?? '');
    if (path !== `/${TENANT}/oauth2/v2.0/token` || form.get('scope') !== 'https://vault.azure.net/.default')
      return { status: 400, body: { error: 'invalid_request', error_description: `AADSTS900144: ${path}` } };
    if (known === undefined || known !== (form.get('client_secret') ?? form.get('client_assertion')))
      return {
        status: 401,
        body: {
          error: 'invalid_client',
          error_description: `AADSTS7000215: Invalid client secret: ${form.get('client_secret')}`,
        },
      };
    const accessToken = this.issue();
    return {
      status: 200,
      body: { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: accessToken },
    };
  }

  private read(url: URL, token: string | undefined): Answer {
    if (this.status !== undefined)
      return { status: this.status, body: { error: { code: 'AsTold', message: 'as told' } } };
    if (token === undefined || !this.issued.has(token))
      return {
        status: 401,
        headers: {
          'www-authenticate': `Bearer authorization="https://${LOGIN_HOST}/${TENANT}", resource="https://vault.azure.net"`,
        },
        body: { error: { code: 'Unauthorized', message: 'AKV10000: Request is missing a Bearer or PoP token.' } },
      };
    const [, kind, name = '', version = ''] = url.pathname.split('/');
    if (kind !== 'secrets' || !url.searchParams.has('api-version'))
      return { status: 400, body: { error: { code: 'BadParameter', message: 'as documented' } } };
    if (this.forbidden.has(name))
      return {
        status: 403,
        body: { error: { code: 'Forbidden', message: 'Caller is not authorized to perform action on resource.' } },
      };
    const versions = this.secrets.get(name) ?? [];
    const found = version === '' ? versions.at(-1) : versions.find((one) => one.version === version);
    if (!found)
      return {
        status: 404,
        body: { error: { code: 'SecretNotFound', message: `A secret with (name/id) ${name} was not found` } },
      };
    const attributes = {
      enabled: true,
      created: 1493938410,
      updated: 1493938410,
      recoveryLevel: 'Recoverable+Purgeable',
    };
    return {
      status: 200,
      body: { value: found.value, id: `${FakeKeyVault.url}/secrets/${name}/${found.version}`, attributes },
    };
  }
}
