import { EventEmitter, once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';

/** One request as it came over the wire. */
export interface WireRequest {
  method: string;
  /** Path and query, undecoded. */
  target: string;
  /** Lower-case names. */
  headers: Record<string, string>;
  body: string;
  /** Every byte, as text. */
  raw: string;
}

/** What the server does with a request: anything that a socket allows. */
export type Script = (socket: Socket, request: WireRequest) => void;

/** Answers with exact bytes. A string body; `content-length` is added. */
export function answer(status: number, body = '', headers: Record<string, string> = {}): Script {
  const lines = Object.entries({ 'content-length': String(Buffer.byteLength(body)), ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return (socket) => socket.write(`HTTP/1.1 ${status} Scripted\r\n${lines.join('')}\r\n${body}`);
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Script {
  return answer(status, JSON.stringify(body), { 'content-type': 'application/json', ...headers });
}

/** RST after the whole request was read. */
export const resetAfterRequest: Script = (socket) => void socket.resetAndDestroy();
/** FIN after the whole request was read. */
export const closeAfterRequest: Script = (socket) => void socket.end();
/** Reads the request and says nothing, ever. */
export const hang: Script = () => undefined;
/** Promises more bytes than it sends, then closes. */
export function truncated(status: number, body: string): Script {
  return (socket) =>
    void socket.end(`HTTP/1.1 ${status} Scripted\r\ncontent-length: ${body.length + 100}\r\n\r\n${body}`);
}

/**
 * An HTTP/1.1 server on a loopback port that records requests byte for byte and answers each one by the next script, or by `fallback`.
 * It is written on raw sockets so that it can misbehave.
 */
export class ScriptedServer {
  readonly requests: WireRequest[] = [];
  readonly scripts: Script[] = [];
  fallback: Script = answer(200);
  /** Requests that are no part of what is tested (a sign-in): answered apart, and kept in `asides`. */
  aside: { matches: (request: WireRequest) => boolean; script: Script } | undefined;
  readonly asides: WireRequest[] = [];
  /** Connections made so far. */
  connections = 0;
  private readonly sockets = new Set<Socket>();
  private readonly received = new EventEmitter();
  private readonly server = createServer((socket) => this.serve(socket));

  static async start(fallback?: Script): Promise<ScriptedServer> {
    const server = new ScriptedServer();
    if (fallback) server.fallback = fallback;
    server.server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    return server;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves when `count` requests have been received since the start. */
  async waitFor(count: number): Promise<void> {
    while (this.requests.length < count) await once(this.received, 'request');
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((done) => this.server.close(done));
  }

  private serve(socket: Socket): void {
    this.connections++;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => undefined);
    let pending = '';
    socket.on('data', (chunk) => {
      pending += chunk.toString('latin1');
      for (;;) {
        const end = pending.indexOf('\r\n\r\n');
        if (end < 0) return;
        const [first, ...lines] = pending.slice(0, end).split('\r\n');
        const headers = Object.fromEntries(
          lines.map((line) => [
            line.slice(0, line.indexOf(':')).toLowerCase(),
            line.slice(line.indexOf(':') + 1).trim(),
          ]),
        );
        const size = end + 4 + Number(headers['content-length'] ?? 0);
        if (pending.length < size) return;
        const raw = pending.slice(0, size);
        pending = pending.slice(size);
        const [method, target] = first!.split(' ');
        const request = {
          method: method!,
          target: target!,
          headers,
          body: Buffer.from(raw.slice(end + 4), 'latin1').toString('utf8'),
          raw,
        };
        if (this.aside?.matches(request)) {
          this.asides.push(request);
          this.aside.script(socket, request);
          continue;
        }
        this.requests.push(request);
        (this.scripts.shift() ?? this.fallback)(socket, request);
        this.received.emit('request');
      }
    });
  }
}

/** The origin of a loopback port that nothing listens on. */
export async function closedOrigin(): Promise<string> {
  const server = await ScriptedServer.start();
  const { origin } = server;
  await server.close();
  return origin;
}
