import { Agent, request } from 'undici';
import type { ApiContract } from './api-contract';

/** Parsed JSON that the specs look into freely; its shape is held to the published document. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Wire = any;

export interface ApiAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** The parsed JSON; undefined without a body. */
  body: Wire;
  /** Exact text. */
  text: string;
}

export interface ApiRequest {
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is. */
  raw?: string | Buffer;
}

/** What all clients of one run have in common: the contract, and every answer's text for the search for secrets. */
export interface ApiRecorder {
  contract?: ApiContract;
  answers: Array<{ method: string; path: string; status: number; text: string; headers: string }>;
}

const agent = new Agent({ connections: 128, pipelining: 1, keepAliveTimeout: 1000, headersTimeout: 40_000 });

/** Calls the API over HTTP as an outsider does, and holds every answer to the published document. */
export class ApiClient {
  constructor(
    public url: string,
    private readonly authorization: Readonly<Record<string, string>>,
    private readonly recorder: ApiRecorder,
  ) {}

  with(headers: Record<string, string>): ApiClient {
    return new ApiClient(this.url, headers, this.recorder);
  }

  /** The same key at another process. */
  at(url: string): ApiClient {
    return new ApiClient(url, this.authorization, this.recorder);
  }

  get(path: string, headers?: Record<string, string>): Promise<ApiAnswer> {
    return this.call('GET', path, { headers });
  }

  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer> {
    return this.call('POST', path, { body, headers });
  }

  put(path: string, body?: unknown): Promise<ApiAnswer> {
    return this.call('PUT', path, { body });
  }

  patch(path: string, body?: unknown): Promise<ApiAnswer> {
    return this.call('PATCH', path, { body });
  }

  delete(path: string): Promise<ApiAnswer> {
    return this.call('DELETE', path, {});
  }

  /** @throws Error when the answer is not what the document says */
  async call(method: string, path: string, options: ApiRequest): Promise<ApiAnswer> {
    const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    const answer = await request(this.url + path, {
      method: method as 'GET',
      headers: {
        ...this.authorization,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...options.headers,
      },
      body: body ?? null,
      dispatcher: agent,
    });
    const text = await answer.body.text();
    const contentType = String(answer.headers['content-type'] ?? '');
    const parsed: unknown = text === '' ? undefined : contentType.includes('json') ? JSON.parse(text) : text;
    this.recorder.answers.push({
      method,
      path,
      status: answer.statusCode,
      text,
      headers: JSON.stringify(answer.headers),
    });
    const faults = this.recorder.contract?.faults(method, path, answer.statusCode, contentType, parsed) ?? [];
    if (!answer.headers['x-request-id'] && this.recorder.contract) faults.push('no X-Request-Id');
    if (faults.length > 0)
      throw new Error(`${method} ${path} → ${answer.statusCode}\n${faults.join('\n')}\n${text.slice(0, 800)}`);
    return { status: answer.statusCode, headers: answer.headers, body: parsed, text };
  }
}

/** Asks until the answer fits. Bounded, so that a failure shows what was there last. */
export async function eventually<T>(
  ask: () => Promise<T> | T,
  fits: (value: T) => boolean,
  patienceMs = 15_000,
): Promise<T> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const value = await ask();
    if (fits(value)) return value;
    if (Date.now() > end)
      throw new Error(`not within ${patienceMs} ms; last: ${JSON.stringify(value)?.slice(0, 3000)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
