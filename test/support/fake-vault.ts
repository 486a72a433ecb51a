import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A stand-in of HashiCorp Vault: the key-value engine of version 2 mounted at `secret`, tokens and their policy. */
export class FakeVault {
  /** By path below `secret/data/`; undefined fields: the newest version is deleted. */
  readonly secrets = new Map<string, Record<string, unknown> | undefined>();
  /** Tokens that hold, and the path prefixes below `secret/data/` that each may read. */
  readonly tokens = new Map<string, string[]>();
  readonly requests: Array<{ path: string; token: string | undefined; namespace: string | undefined }> = [];
  url = '';
  /** Answers every request with this status. */
  status: number | undefined;
  /** Says nothing at all. */
  hangs = false;
  private readonly server = createServer((request, response) => {
    if (this.hangs) return;
    const { status, body } = this.answer(request);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });

  static async start(): Promise<FakeVault> {
    const vault = new FakeVault();
    vault.server.listen(0, '127.0.0.1');
    await once(vault.server, 'listening');
    vault.url = `http://127.0.0.1:${(vault.server.address() as AddressInfo).port}`;
    return vault;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private answer(request: IncomingMessage): { status: number; body: unknown } {
    const path = decodeURIComponent(request.url!);
    const token = request.headers['x-vault-token'] as string | undefined;
    this.requests.push({ path, token, namespace: request.headers['x-vault-namespace'] as string | undefined });
    if (this.status !== undefined) return { status: this.status, body: { errors: ['as told'] } };
    const denied = { status: 403, body: { errors: ['permission denied'] } };
    const prefixes = token === undefined ? undefined : this.tokens.get(token);
    if (!prefixes) return denied;
    if (path === '/v1/auth/token/lookup-self') return { status: 200, body: { data: { policies: ['default'] } } };
    const name = path.startsWith('/v1/secret/data/') ? path.slice('/v1/secret/data/'.length) : undefined;
    if (name === undefined) return { status: 404, body: { errors: ['no handler for route'] } };
    if (!prefixes.some((prefix) => name.startsWith(prefix))) return denied;
    if (!this.secrets.has(name)) return { status: 404, body: { errors: [] } };
    const data = this.secrets.get(name);
    const metadata = {
      version: 3,
      created_time: '2026-01-01T00:00:00Z',
      deletion_time: data ? '' : '2026-02-01T00:00:00Z',
    };
    return { status: data ? 200 : 404, body: { data: { data: data ?? null, metadata } } };
  }
}
