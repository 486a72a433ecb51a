import type { ServerResponse } from 'node:http';

/**
 * The `RateLimit-Policy` and `RateLimit` fields (draft-ietf-httpapi-ratelimit-headers): `"default";q=500;w=1` is the quota of a window of
 * one second, `"default";r=499;t=1` what remains and when it is full again.
 */
export class RateLimitHeaders {
  private readonly policy: string;

  /** @param name of the policy */
  constructor(
    private readonly perSecond: number,
    private readonly name = 'default',
  ) {
    this.policy = `"${name}";q=${perSecond};w=1`;
  }

  set(response: ServerResponse, remaining: number, resetMs: number): void {
    response.setHeader('RateLimit-Policy', this.policy);
    response.setHeader(
      'RateLimit',
      `"${this.name}";r=${Math.min(remaining, this.perSecond)};t=${Math.ceil(resetMs / 1000)}`,
    );
  }
}
