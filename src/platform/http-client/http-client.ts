/** One outbound request. Everything leaves through {@link HttpClient}; nothing else in `src` opens an HTTP connection. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** From the call to the last byte of the answer, milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal;
  /** Most bytes of the answer that are kept; the rest is read and dropped. Default 1 MiB. */
  maxBodyBytes?: number;
}

export interface HttpResponse {
  status: number;
  /** Lower-case names; repeated headers joined by `, `. */
  headers: Readonly<Record<string, string | undefined>>;
  body: Buffer;
  latencyMs: number;
}

/**
 * How far a failed request got.
 * - `not_written`: no byte of it can have reached the other side (DNS, refused, TLS, connect time-out, address not allowed)
 * - `written_no_answer`: it was written, wholly or in part, and no complete answer came (reset, time-out, broken answer)
 */
export type HttpOutcome = 'not_written' | 'written_no_answer';

/**
 * Why it failed. `invalid_request` is a URL or header that cannot be sent at all; `protocol` is an answer that is not HTTP or is cut short;
 * `closed` is a client that has been shut down.
 */
export type HttpFailureReason =
  | 'address_not_allowed'
  | 'dns'
  | 'connection_refused'
  | 'unreachable'
  | 'connect_timeout'
  | 'tls'
  | 'invalid_request'
  | 'closed'
  | 'timeout'
  | 'reset'
  | 'protocol'
  | 'aborted';

/** Every failure of {@link HttpClient.request}; an answer of any status is no failure. Its text names the origin, never path, query or headers. */
export class HttpRequestError extends Error {
  constructor(
    readonly outcome: HttpOutcome,
    readonly reason: HttpFailureReason,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'HttpRequestError';
  }
}

/** Outbound HTTP with deadlines, pooled per origin, no retries, no redirects followed. */
export interface HttpClient {
  /** @throws HttpRequestError */
  request(request: HttpRequest): Promise<HttpResponse>;
}

/** DI token of the {@link HttpClient} for addresses that the operator has set: providers' APIs. Reaches any address. */
export const HTTP_CLIENT = Symbol('HttpClient');

/**
 * DI token of the {@link HttpClient} for addresses that tenants give. Looks at the address of every connection and refuses internal ones with
 * `not_written` / `address_not_allowed`.
 */
export const GUARDED_HTTP_CLIENT = Symbol('GuardedHttpClient');
