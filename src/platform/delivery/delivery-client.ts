import { performance } from 'node:perf_hooks';
import type { Clock } from '../../kernel/clock';
import { HttpRequestError, type HttpClient, type HttpResponse } from '../http-client/http-client';
import type { DeliveryAttempt } from './delivery';

/** How much of an answer is kept. One byte more is read, so that a longer one is known as such. */
export const KEPT_BYTES = 1024;

/** One delivery as it goes over the wire. */
export interface DeliveryRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** What counts as delivered. */
export interface DeliveryRules {
  /** From the call to the last byte of the answer. */
  timeoutMs: number;
  /** A stable word for why an answer is a failure; null when it is a success. Of the body it sees {@link KEPT_BYTES} and one more. */
  refusal(response: HttpResponse): string | null;
}

/** Any 2xx counts; a redirect is not followed, so it does not. */
export function anySuccessStatus(response: HttpResponse): string | null {
  return response.status >= 200 && response.status < 300 ? null : 'http_status';
}

/** Posts once and says what came of it; a failure is an answer here, not an error. */
export class DeliveryClient {
  constructor(
    private readonly http: HttpClient,
    private readonly clock: Clock,
  ) {}

  async post(request: DeliveryRequest, rules: DeliveryRules): Promise<DeliveryAttempt> {
    const at = this.clock.now();
    const startedAt = performance.now();
    try {
      const response = await this.http.request({
        method: 'POST',
        url: request.url,
        headers: request.headers,
        body: request.body,
        timeoutMs: rules.timeoutMs,
        maxBodyBytes: KEPT_BYTES + 1,
      });
      const attempt: DeliveryAttempt = {
        at,
        latencyMs: Math.round(response.latencyMs),
        statusCode: response.status,
      };
      const refusal = rules.refusal(response);
      if (refusal !== null) attempt.error = refusal;
      if (response.body.length > 0) attempt.response = excerpt(response.body);
      return attempt;
    } catch (error) {
      if (!(error instanceof HttpRequestError)) throw error;
      return { at, latencyMs: Math.round(performance.now() - startedAt), error: error.reason };
    }
  }
}

/** PostgreSQL keeps no NUL in JSON, and a character that the cut has halved decodes to U+FFFD. */
function excerpt(body: Buffer): string {
  return body.toString('utf8', 0, KEPT_BYTES).replaceAll('\0', '\ufffd');
}
