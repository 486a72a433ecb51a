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

/** Every failure of {@link HttpClient.request}; an answer of any status is no failure. */
export class HttpRequestError extends Error {
  constructor(
    readonly outcome: HttpOutcome,
    /** `connection_refused`, `dns`, `tls`, `connect_timeout`, `timeout`, `reset`, `aborted`, `address_not_allowed`, `protocol` */
    readonly reason: string,
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
