import type { HttpClient, HttpRequest, HttpResponse } from '../platform/http-client/http-client';
import type { SsrfGuard } from '../platform/http-client/ssrf-guard';
import { UndiciHttpClient } from '../platform/http-client/undici-http-client';

/**
 * Makes the stand-ins' callbacks: to this service at its own address, wherever that is. Any other address is one that a tenant gave, and judged
 * like one.
 */
export class CallbackClient implements HttpClient {
  private readonly own: UndiciHttpClient;
  private readonly others: UndiciHttpClient;

  /** @param ownUrl where this service is reached, without trailing slash */
  constructor(
    private readonly ownUrl: () => string,
    guard: SsrfGuard,
    connectionsPerOrigin: number,
  ) {
    this.own = new UndiciHttpClient({ connectionsPerOrigin });
    this.others = new UndiciHttpClient({ connectionsPerOrigin, guard });
  }

  request(request: HttpRequest): Promise<HttpResponse> {
    const isOwn = URL.parse(request.url)?.origin === URL.parse(this.ownUrl())?.origin;
    return (isOwn ? this.own : this.others).request(request);
  }

  async close(): Promise<void> {
    await Promise.all([this.own.close(), this.others.close()]);
  }
}
