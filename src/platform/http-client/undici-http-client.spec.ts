import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { join } from 'node:path';
import {
  answer,
  closeAfterRequest,
  closedOrigin,
  hang,
  resetAfterRequest,
  ScriptedServer,
  truncated,
} from '../../../test/support/scripted-server';
import type { HttpRequest } from './http-client';
import { HttpRequestError } from './http-client';
import { UndiciHttpClient } from './undici-http-client';

describe('UndiciHttpClient', () => {
  let server: ScriptedServer;
  let client: UndiciHttpClient;

  /** Further listeners of a test, closed with all their sockets. */
  const listeners: Array<{ server: net.Server; sockets: Set<net.Socket> }> = [];
  const listen = async (listener: net.Server): Promise<number> => {
    const sockets = new Set<net.Socket>();
    listener.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)));
    listeners.push({ server: listener, sockets });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return (listener.address() as AddressInfo).port;
  };

  beforeEach(async () => {
    server = await ScriptedServer.start();
    client = new UndiciHttpClient();
  });

  afterEach(async () => {
    await Promise.all([client, ...narrowClients.splice(0)].map((one) => one.close()));
    await server.close();
    for (const { server: listener, sockets } of listeners.splice(0)) {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => listener.close(done));
    }
  });

  const narrowClients: UndiciHttpClient[] = [];
  const withConnections = (connectionsPerOrigin: number): UndiciHttpClient => {
    const narrow = new UndiciHttpClient({ connectionsPerOrigin });
    narrowClients.push(narrow);
    return narrow;
  };

  const post = (over: Partial<HttpRequest> = {}): HttpRequest => ({
    method: 'POST',
    url: `${server.origin}/path?a=1`,
    headers: { 'content-type': 'text/plain', 'x-own': 'yes' },
    body: 'grüße',
    timeoutMs: 5000,
    ...over,
  });

  const failure = async (request: HttpRequest): Promise<{ outcome: string; reason: string; message: string }> => {
    const error: unknown = await client.request(request).then(
      () => new Error('answered'),
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(HttpRequestError);
    const { outcome, reason, message } = error as HttpRequestError;
    return { outcome, reason, message };
  };

  it('sends the request as given and hands the answer over', async () => {
    server.fallback = answer(201, 'body', { 'X-Twice': 'a', 'x-twice': 'b', 'Retry-After': '3' });
    const response = await client.request(post());
    expect(response.status).toBe(201);
    expect(response.body.toString()).toBe('body');
    expect(response.headers['x-twice']).toBe('a, b');
    expect(response.headers['retry-after']).toBe('3');
    expect(response.latencyMs).toBeGreaterThan(0);
    expect(server.requests[0]).toMatchObject({ method: 'POST', target: '/path?a=1', body: 'grüße' });
    expect(server.requests[0]!.headers).toMatchObject({
      'content-type': 'text/plain',
      'x-own': 'yes',
      'content-length': '7',
    });
  });

  it('uses a connection again', async () => {
    for (let i = 0; i < 20; i++) await client.request(post());
    // A second one, because undici takes a socket back a turn of the event loop after its answer.
    expect(server.connections).toBeLessThanOrEqual(2);
  });

  it('opens no more connections to an origin than allowed, and answers all', async () => {
    const narrow = withConnections(3);
    const responses = await Promise.all(Array.from({ length: 20 }, () => narrow.request(post())));
    expect(responses.map((response) => response.status)).toEqual(Array(20).fill(200));
    expect(server.connections).toBe(3);
  });

  it('does not follow a redirect', async () => {
    server.fallback = answer(302, '', { location: `${server.origin}/elsewhere` });
    const response = await client.request(post());
    expect(response).toMatchObject({ status: 302, headers: { location: `${server.origin}/elsewhere` } });
    expect(server.requests).toHaveLength(1);
  });

  it('keeps the beginning of a huge body and reads on, so that the connection stays usable', async () => {
    server.scripts.push(answer(200, 'x'.repeat(300_000)));
    const narrow = withConnections(1);
    const response = await narrow.request(post({ maxBodyBytes: 1000 }));
    expect(response.body.toString()).toBe('x'.repeat(1000));
    await narrow.request(post());
    expect(server.connections).toBe(1);
  });

  it('ends an endless body at the deadline', async () => {
    server.fallback = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      const more = (): void => void (socket.destroyed || socket.write('5\r\nabcde\r\n', () => setImmediate(more)));
      more();
    };
    expect(await failure(post({ timeoutMs: 100 }))).toMatchObject({ outcome: 'written_no_answer', reason: 'timeout' });
  });

  describe('before anything is written', () => {
    it('says so for a refused connection', async () => {
      const url = `${await closedOrigin()}/`;
      expect(await failure(post({ url }))).toMatchObject({ outcome: 'not_written', reason: 'connection_refused' });
    });

    it('says so for a name that does not resolve', async () => {
      const url = 'http://no-such-host.invalid/secret-path?token=t';
      const { outcome, reason, message } = await failure(post({ url }));
      expect({ outcome, reason }).toEqual({ outcome: 'not_written', reason: 'dns' });
      expect(message).not.toMatch(/secret-path|token/);
    });

    it('says so for a connection that does not come about in time', async () => {
      // A TLS handshake that is never answered.
      const url = `https://127.0.0.1:${await listen(net.createServer())}/`;
      expect(await failure(post({ url, timeoutMs: 100 }))).toMatchObject({
        outcome: 'not_written',
        reason: 'connect_timeout',
      });
    });

    it.each([
      ['garbage', (socket: net.Socket) => void socket.end('this is not TLS\r\n')],
      ['a reset', (socket: net.Socket) => void socket.once('data', () => socket.resetAndDestroy())],
    ])('says so for a TLS handshake answered by %s', async (_, onConnection) => {
      const url = `https://127.0.0.1:${await listen(net.createServer(onConnection))}/`;
      expect(await failure(post({ url }))).toMatchObject({ outcome: 'not_written', reason: 'tls' });
    });

    it('says so for a certificate that nobody vouches for, and sends nothing', async () => {
      const file = (name: string): string => readFileSync(join(__dirname, '../../../test/fixtures', name), 'utf8');
      let requests = 0;
      const tls = https.createServer(
        { key: file('self-signed.key.pem'), cert: file('self-signed.cert.pem') },
        () => requests++,
      );
      const url = `https://localhost:${await listen(tls)}/`;
      expect(await failure(post({ url }))).toMatchObject({ outcome: 'not_written', reason: 'tls' });
      expect(requests).toBe(0);
    });

    it('gives up in the queue for a connection and never writes that request', async () => {
      const narrow = withConnections(1);
      let release = (): void => undefined;
      server.scripts.push((socket, request) => {
        release = () => answer(200)(socket, request);
      });
      const first = narrow.request(post({ body: 'first' }));
      await server.waitFor(1);
      await expect(narrow.request(post({ body: 'second', timeoutMs: 50 }))).rejects.toMatchObject({
        outcome: 'not_written',
        reason: 'connect_timeout',
      });
      release();
      await first;
      await narrow.request(post({ body: 'third' }));
      expect(server.requests.map((request) => request.body)).toEqual(['first', 'third']);
    });

    it.each([
      ['a URL that is none', { url: 'nonsense' }],
      ['another scheme', { url: 'ftp://127.0.0.1/' }],
      ['a user name in the URL', { url: 'http://user:pass@127.0.0.1/' }],
      ['a header with a line break', { headers: { 'x-bad': 'a\r\nb: c' } }],
      ['a header outside Latin-1', { headers: { 'x-bad': '€' } }],
    ])('refuses %s', async (_, over) => {
      expect(await failure(post(over))).toMatchObject({ outcome: 'not_written', reason: 'invalid_request' });
      expect(server.requests).toHaveLength(0);
    });

    it('refuses an aborted signal and a closed client', async () => {
      expect(await failure(post({ signal: AbortSignal.abort() }))).toMatchObject({
        outcome: 'not_written',
        reason: 'aborted',
      });
      await client.close();
      expect(await failure(post())).toMatchObject({ outcome: 'not_written', reason: 'closed' });
      expect(server.requests).toHaveLength(0);
    });
  });

  describe('after the write', () => {
    it.each([
      ['a reset', resetAfterRequest, 'reset'],
      ['a close without an answer', closeAfterRequest, 'reset'],
      ['an answer that is cut short', truncated(200, '{"sid":'), 'protocol'],
      ['an answer that is not HTTP', ((socket) => void socket.end('hello\r\n\r\n')) as typeof hang, 'protocol'],
      ['half a status line', ((socket) => void socket.end('HTTP/1.1 20')) as typeof hang, 'reset'],
    ])('says so for %s', async (_, script, reason) => {
      server.fallback = script;
      expect(await failure(post())).toMatchObject({ outcome: 'written_no_answer', reason });
      expect(server.requests).toHaveLength(1);
    });

    it('says so for a hang, at the deadline', async () => {
      server.fallback = hang;
      const startedAt = performance.now();
      expect(await failure(post({ timeoutMs: 120 }))).toMatchObject({
        outcome: 'written_no_answer',
        reason: 'timeout',
      });
      expect(performance.now() - startedAt).toBeGreaterThanOrEqual(115);
    });

    it('says so when the caller gives up', async () => {
      server.fallback = hang;
      const controller = new AbortController();
      const failed = failure(post({ signal: controller.signal }));
      await server.waitFor(1);
      controller.abort();
      expect(await failed).toMatchObject({ outcome: 'written_no_answer', reason: 'aborted' });
    });

    it('takes a reset of a connection that was used before for written, and opens another one after it', async () => {
      const narrow = withConnections(1);
      server.scripts.push(answer(200), resetAfterRequest);
      await narrow.request(post());
      await expect(narrow.request(post())).rejects.toMatchObject({ outcome: 'written_no_answer', reason: 'reset' });
      expect(server.connections).toBe(1);
      expect((await narrow.request(post())).status).toBe(200);
      expect(server.connections).toBe(2);
    });

    it('does not try again by itself', async () => {
      server.fallback = resetAfterRequest;
      await failure(post());
      await failure({ ...post(), method: 'GET', body: undefined });
      expect(server.requests).toHaveLength(2);
    });
  });

  it('breaks calls off when it is closed', async () => {
    server.fallback = hang;
    const failed = failure(post());
    await server.waitFor(1);
    await client.close();
    expect(await failed).toMatchObject({ outcome: 'written_no_answer' });
  });
});
