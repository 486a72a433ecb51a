import type { Secret } from '../../kernel/secret';
import type { HttpClient, HttpRequest, HttpResponse } from '../../platform/http-client/http-client';
import { HttpRequestError } from '../../platform/http-client/http-client';
import type { ErrorRow } from './gateway-error';
import { GatewayError } from './gateway-error';

/** What one provider says about its answers, on top of the rules that hold for all. */
export interface AnswerRules {
  /** The provider's title, for texts. */
  title: string;
  /** The definition's error table; for an API without codes of its own, by `http_<status>`. */
  errors: Readonly<Record<string, ErrorRow>>;
  /** Rows by HTTP status where this provider means something else than {@link HTTP_STATUS_ROWS}. */
  httpStatus?: Readonly<Record<number, ErrorRow>>;
}

const refused: ErrorRow = { class: 'content_permanent', code: 'request_refused', title: 'the request was refused' };
const credentials: ErrorRow = { class: 'config', code: 'bad_credentials', title: 'the credentials were refused' };
const address: ErrorRow = { class: 'config', code: 'wrong_address', title: 'the API is not at this address' };
const throttled: ErrorRow = { class: 'throttled', code: 'throttled', title: 'too many requests' };
const unavailable: ErrorRow = { class: 'transient', code: 'provider_unavailable', title: 'the service is unavailable' };
const unknown: ErrorRow = {
  class: 'ambiguous',
  code: 'provider_error',
  title: 'the answer does not say whether the message was taken',
};

/**
 * What a status means when the answer holds no code of the provider's table. 503 says that nothing was taken; every other 5xx, 408 and what
 * is not listed leave it open. A redirect is not followed, and a body that nobody can read says nothing whatever its status below 300.
 */
export const HTTP_STATUS_ROWS: Readonly<Record<number, ErrorRow>> = {
  301: address,
  302: address,
  303: address,
  307: address,
  308: address,
  400: refused,
  401: credentials,
  402: { class: 'config', code: 'no_credit', title: 'the account has no credit' },
  403: credentials,
  404: address,
  405: address,
  406: refused,
  410: address,
  411: refused,
  413: refused,
  414: refused,
  415: refused,
  420: throttled,
  422: refused,
  429: throttled,
  503: unavailable,
};

/** A failed answer, as far as the provider's own format told it. */
export interface Refusal {
  response: HttpResponse;
  /** The provider's code. */
  code?: string | undefined;
  /** Key of its row in the error table, where that is not the code itself. */
  row?: string | undefined;
  /** Milliseconds that the answer's body asks to wait; it goes before a `Retry-After`. */
  retryAfterMs?: number | undefined;
  /** The provider's text. */
  text?: string | undefined;
  /** The credentials of the call; they are cut out of the text. */
  credentials: Readonly<Record<string, Secret | undefined>>;
  /** Milliseconds since the epoch, for a `Retry-After` that is a date. */
  now: number;
}

/** Classifies an answer that did not take the message: the provider's table, then the HTTP status, then `ambiguous`. */
export function refusalError(rules: AnswerRules, refusal: Refusal): GatewayError {
  const { response, code } = refusal;
  const httpCode = `http_${response.status}`;
  const row =
    rowOf(rules.errors, refusal.row ?? code) ??
    rowOf(rules.errors, httpCode) ??
    rules.httpStatus?.[response.status] ??
    HTTP_STATUS_ROWS[response.status] ??
    unknown;
  const details = {
    class: row.class,
    code: row.code,
    message: `${rules.title}: ${row.title}`,
    providerCode: code ?? httpCode,
    ...(refusal.text !== undefined && { providerText: withoutSecrets(refusal.text, refusal.credentials) }),
    ...(row.scope && { scope: row.scope }),
  };
  if (row.class !== 'throttled') return new GatewayError(details);
  const wait =
    refusal.retryAfterMs ?? parseRetryAfter(response.headers['retry-after'], refusal.now) ?? row.retryAfterMs;
  return new GatewayError({ ...details, ...(wait !== undefined && { retryAfterMs: wait }) });
}

/** An answer that says success in a form that nobody can read: the message may have been taken. */
export function unreadableAnswer(rules: AnswerRules, response: HttpResponse): GatewayError {
  return new GatewayError({
    class: 'ambiguous',
    code: 'unreadable_answer',
    message: `${rules.title}: the answer cannot be read`,
    providerCode: `http_${response.status}`,
  });
}

/**
 * Makes one call to a provider; every failure to get an answer is thrown classified.
 * @param effect whether the call can make the provider do something; a call that only reads is safe to make again, so it is never `ambiguous`
 * @throws GatewayError `transient` when nothing was written, `ambiguous` when the provider may have the request
 */
export async function callProvider(
  http: HttpClient,
  rules: AnswerRules,
  request: HttpRequest,
  effect: 'send' | 'read',
): Promise<HttpResponse> {
  try {
    return await http.request(request);
  } catch (error) {
    if (!(error instanceof HttpRequestError)) throw error;
    const written = error.outcome === 'written_no_answer' && effect === 'send';
    throw new GatewayError({
      class: written ? 'ambiguous' : 'transient',
      code: written ? 'no_answer' : 'not_reached',
      message: `${rules.title}: ${written ? 'no answer to a request that was sent' : 'could not be asked'} (${error.reason})`,
      providerCode: error.reason,
      cause: error,
    });
  }
}

/** Longest pause that a `Retry-After` can ask for. */
const MAX_RETRY_AFTER_MS = 24 * 3600 * 1000;

/** Milliseconds to wait by a `Retry-After` header, seconds or HTTP date; undefined when there is none or it cannot be read. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const wait = /^\d+(\.\d+)?$/.test(text)
    ? Number(text) * 1000
    : /^[A-Z][a-z]{2}/.test(text)
      ? Date.parse(text) - now
      : NaN;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(0, Math.ceil(wait)), MAX_RETRY_AFTER_MS);
}

/** The JSON object in a body; undefined when there is none. */
export function jsonObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** A table's entry for a provider's word or code, which may be any text; undefined when it is not in the table. */
export function rowOf<T>(table: Readonly<Record<string, T>>, word: string | undefined): T | undefined {
  return word !== undefined && Object.hasOwn(table, word) ? table[word] : undefined;
}

/** A JSON member as text: strings and numbers, else undefined. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}

function withoutSecrets(text: string, values: Refusal['credentials']): string {
  let clean = text.slice(0, 2000);
  for (const secret of Object.values(values)) {
    const value = secret?.reveal();
    if (value) clean = clean.replaceAll(value, '[secret]');
  }
  return clean;
}
