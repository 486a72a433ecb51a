import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { Dialer } from './dialer';
import { AddressNotAllowedError, SsrfGuard } from './ssrf-guard';

const FIXTURES = join(__dirname, '../../../test/fixtures');
const LOOPBACK = ['127.0.0.0/8', '::1/128'];

describe('Dialer', () => {
  const servers: net.Server[] = [];
  const accepted: net.Socket[] = [];

  async function listening(server: net.Server): Promise<number> {
    servers.push(server);
    server.on('connection', (socket: net.Socket) => accepted.push(socket.on('error', () => undefined)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  const open = (allowed: readonly string[] = LOOPBACK, resolves?: string) =>
    new Dialer(
      new SsrfGuard(allowed, resolves === undefined ? undefined : async () => [{ address: resolves, family: 4 }]),
    );

  afterEach(async () => {
    for (const socket of accepted.splice(0)) socket.destroy();
    await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))));
  });

  it('connects to what may be reached, and writes nothing by itself', async () => {
    const port = await listening(net.createServer((socket) => socket.end('hello')));
    const socket = await open().connect({ host: '127.0.0.1', port, timeoutMs: 2_000 });
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    expect(greeting.toString()).toBe('hello');
    expect(accepted[0]!.bytesRead).toBe(0);
    socket.destroy();
  });

  it.each([
    ['an address', '127.0.0.1', undefined],
    ['an address in another spelling', '127.1', undefined],
    ['IPv6', '::1', undefined],
    ['the address of a name', 'mail.example.com', '10.0.0.7'],
    ['a metadata address', 'mail.example.com', '169.254.169.254'],
  ])('refuses %s that is not public, without a connection', async (_, host, resolves) => {
    const port = await listening(net.createServer());
    const dialing = open([], resolves).connect({ host, port, timeoutMs: 2_000 });
    await expect(dialing).rejects.toBeInstanceOf(AddressNotAllowedError);
    expect(accepted).toEqual([]);
  });

  it('leads a host to its stand-in, whatever its port and without TLS', async () => {
    const port = await listening(net.createServer());
    const dialer = new Dialer(new SsrfGuard([]), (host) => (host === 'simulator.test' ? port : undefined));
    const socket = await dialer.connect({ host: 'simulator.test', port: 1, tls: true, timeoutMs: 2_000 });
    expect(socket.remotePort).toBe(port);
    expect(socket).not.toBeInstanceOf(tls.TLSSocket);
    expect([dialer.isStandIn('simulator.test'), dialer.isStandIn('127.0.0.1')]).toEqual([true, false]);
    socket.destroy();
  });

  it('refuses a certificate that nobody vouches for', async () => {
    const [key, cert] = ['key', 'cert'].map((name) => readFileSync(join(FIXTURES, `self-signed.${name}.pem`)));
    const port = await listening(tls.createServer({ key, cert }).on('tlsClientError', () => undefined));
    const dialing = open().connect({ host: '127.0.0.1', port, tls: true, timeoutMs: 2_000 });
    await expect(dialing).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });

  it('gives up on a handshake that does not end, and on being told to', async () => {
    const port = await listening(net.createServer());
    const dialing = open().connect({ host: '127.0.0.1', port, tls: true, timeoutMs: 50 });
    await expect(dialing).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    const stop = new AbortController();
    const stopped = open().connect({ host: '127.0.0.1', port, tls: true, timeoutMs: 60_000, signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(stopped).rejects.toThrow('enough');
    const late = open().connect({ host: '127.0.0.1', port, timeoutMs: 60_000, signal: stop.signal });
    await expect(late).rejects.toThrow('enough');
  });

  it('says when nobody listens', async () => {
    const port = await listening(net.createServer());
    await new Promise((done) => servers.splice(0)[0]!.close(done));
    await expect(open().connect({ host: '127.0.0.1', port, timeoutMs: 2_000 })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });
});
