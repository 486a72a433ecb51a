import type { HttpClient as PipelineClient } from '@azure/core-rest-pipeline';
import { HttpRequestError, type HttpClient } from '../../platform/http-client/http-client';

/** Lets Azure's SDKs send through our HTTP client: same deadlines, same pools, same way out. Loads their pipeline when it is called. */
export async function azureHttpClient(http: HttpClient, timeoutMs: number): Promise<PipelineClient> {
  const { createHttpHeaders, RestError } = await import('@azure/core-rest-pipeline');
  return {
    async sendRequest(request) {
      const { body } = request;
      if (body !== undefined && body !== null && typeof body !== 'string')
        throw new RestError('only a text can be sent');
      try {
        const response = await http.request({
          method: request.method as 'GET' | 'POST',
          url: request.url,
          headers: request.headers.toJSON({ preserveCase: true }),
          body: body ?? undefined,
          timeoutMs: request.timeout > 0 ? Math.min(request.timeout, timeoutMs) : timeoutMs,
          signal: request.abortSignal as AbortSignal | undefined,
        });
        const headers = createHttpHeaders();
        for (const [name, value] of Object.entries(response.headers)) if (value !== undefined) headers.set(name, value);
        return { request, status: response.status, headers, bodyAsText: response.body.toString('utf8') };
      } catch (error) {
        if (error instanceof HttpRequestError)
          throw new RestError(error.message, { code: RestError.REQUEST_SEND_ERROR });
        throw error;
      }
    },
  };
}
