import { LRUCache } from 'lru-cache';
import type { Dispatcher } from 'undici';
import { Pool } from 'undici';
import type { HttpClient, HttpFailureReason, HttpRequest, HttpResponse } from './http-client';
import { HttpRequestError } from './http-client';
import type { SsrfGuard } from './ssrf-guard';

const DEFAULT_MAX_BODY = 1024 * 1024;
const EMPTY = Buffer.alloc(0);

export interface UndiciHttpClientOptions {
  /** Judges the address of every connection; without it every address is reached. */
  guard?: SsrfGuard;
  /** Most connections to one origin. Default 256. */
  connectionsPerOrigin?: number;
  /** Most origins whose connections are kept. Default 1,000; the one unused for longest is closed first. */
  maxOrigins?: number;
}

/**
 * {@link HttpClient} on undici: one pool of keep-alive connections an origin, one request at a time on each. Written against undici's
 * dispatch interface, because only that tells whether a request was handed to a socket, which decides between `not_written` and
 * `written_no_answer`.
 */
export class UndiciHttpClient implements HttpClient {
  private readonly pools: LRUCache<string, Pool>;
  private readonly connections: number;
  private readonly guard: SsrfGuard | undefined;
  private closed = false;

  constructor(options: UndiciHttpClientOptions = {}) {
    this.guard = options.guard;
    this.connections = options.connectionsPerOrigin ?? 256;
    this.pools = new LRUCache({
      max: options.maxOrigins ?? 1000,
      // Calls under way on a pool that is pushed out still end; on shutdown they do not.
      dispose: (pool) => void (this.closed ? pool.destroy() : pool.close()).catch(() => undefined),
    });
  }

  request(request: HttpRequest): Promise<HttpResponse> {
    const url = URL.parse(request.url);
    if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username || url.password) {
      return Promise.reject(
        new HttpRequestError('not_written', 'invalid_request', 'not an http or https URL without user name'),
      );
    }
    if (this.closed) return Promise.reject(new HttpRequestError('not_written', 'closed', 'the HTTP client is closed'));
    if (request.signal?.aborted) {
      return Promise.reject(new HttpRequestError('not_written', 'aborted', `${url.origin}: aborted before it began`));
    }
    const pool = this.poolFor(url.origin);
    return new Promise((resolve, reject) => {
      const call = new Call(request, url.origin, resolve, reject);
      pool.dispatch(
        {
          path: url.pathname + url.search,
          method: request.method,
          headers: request.headers,
          body: request.body,
        },
        call,
      );
    });
  }

  /** Breaks off every call and connection. */
  async close(): Promise<void> {
    this.closed = true;
    const pools = [...this.pools.values()];
    this.pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  private poolFor(origin: string): Pool {
    let pool = this.pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(origin, {
        connections: this.connections,
        pipelining: 1,
        // The call's own deadline bounds the whole; undici's timers would be a second set on every call.
        headersTimeout: 0,
        bodyTimeout: 0,
        // Shorter than the 5 s that common servers keep an idle connection, so that few calls meet one that is being closed.
        keepAliveTimeout: 4000,
        connectTimeout: 10_000,
        ...(this.guard && { connect: this.guard.connector() }),
      });
      this.pools.set(origin, pool);
    }
    return pool;
  }
}

/** One request under way. Settles once: by the answer, undici's error, the deadline or the signal, whichever is first. */
class Call implements Dispatcher.DispatchHandler {
  private readonly startedAt = performance.now();
  private readonly timer: NodeJS.Timeout;
  private controller: Dispatcher.DispatchController | undefined;
  private settled = false;
  private status = 0;
  private headers: Record<string, string | string[] | undefined> = {};
  private chunks: Buffer[] | undefined;
  private kept = 0;

  constructor(
    private readonly request: HttpRequest,
    private readonly origin: string,
    private readonly resolve: (response: HttpResponse) => void,
    private readonly reject: (error: HttpRequestError) => void,
  ) {
    this.timer = setTimeout(
      () => this.stop('timeout', `no complete answer within ${request.timeoutMs} ms`),
      request.timeoutMs,
    );
    request.signal?.addEventListener('abort', this.onAbort);
  }

  /** Called right before the first byte goes to a connected socket. From here on the other side may have the request. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while it waited for a connection: aborting here keeps it off the wire.
    if (this.settled) controller.abort(new Error('given up'));
    else this.controller = controller;
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    const room = (this.request.maxBodyBytes ?? DEFAULT_MAX_BODY) - this.kept;
    if (room <= 0) return;
    const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.kept += part.length;
    (this.chunks ??= []).push(part);
  }

  onResponseEnd(): void {
    if (!this.settle()) return;
    for (const name in this.headers) {
      const value = this.headers[name];
      if (Array.isArray(value)) this.headers[name] = value.join(', ');
    }
    this.resolve({
      status: this.status,
      headers: this.headers as Record<string, string | undefined>,
      body: this.chunks === undefined ? EMPTY : this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks),
      latencyMs: performance.now() - this.startedAt,
    });
  }

  onResponseError(_: Dispatcher.DispatchController | undefined, error: Error): void {
    if (!this.settle()) return;
    const reason =
      this.controller === undefined
        ? reasonBeforeWriting(error, this.origin)
        : reasonAfterWriting(error, this.status !== 0);
    this.fail(reason, describe(error), error);
  }

  private readonly onAbort = (): void => this.stop('aborted', 'aborted');

  private stop(reason: 'timeout' | 'aborted', text: string): void {
    if (!this.settle()) return;
    this.fail(reason === 'timeout' && this.controller === undefined ? 'connect_timeout' : reason, text);
    this.controller?.abort(new Error(text));
  }

  private settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    clearTimeout(this.timer);
    this.request.signal?.removeEventListener('abort', this.onAbort);
    return true;
  }

  private fail(reason: HttpFailureReason, text: string, cause?: Error): void {
    const outcome = this.controller === undefined ? 'not_written' : 'written_no_answer';
    this.reject(new HttpRequestError(outcome, reason, `${this.origin}: ${text}`, { cause }));
  }
}

const BEFORE_WRITING: Readonly<Record<string, HttpFailureReason>> = {
  UNIMSG_ADDRESS_NOT_ALLOWED: 'address_not_allowed',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EAI_NODATA: 'dns',
  EAI_NONAME: 'dns',
  ENODATA: 'dns',
  ECONNREFUSED: 'connection_refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETDOWN: 'unreachable',
  ETIMEDOUT: 'connect_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  UND_ERR_INVALID_ARG: 'invalid_request',
  UND_ERR_DESTROYED: 'closed',
  UND_ERR_CLOSED: 'closed',
};

/** Why a connection did not come about, or why the request could not be put on it. */
function reasonBeforeWriting(error: Error, origin: string): HttpFailureReason {
  const known = BEFORE_WRITING[codeOf(error)];
  if (known !== undefined) return known;
  return origin.startsWith('https:') ? 'tls' : 'reset';
}

function reasonAfterWriting(error: Error, answerBegun: boolean): HttpFailureReason {
  const code = codeOf(error);
  if (code === 'ETIMEDOUT') return 'timeout';
  // undici's parser errors have no code of their own.
  const broken = answerBegun || error.name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW';
  return broken ? 'protocol' : 'reset';
}

function codeOf(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code;
  return typeof code === 'string' ? code : '';
}

/** The error in a few words. Node's own texts hold host and port only; the code stands in for empty ones (AggregateError). */
function describe(error: Error): string {
  return (error.message || codeOf(error) || error.name).slice(0, 200);
}
