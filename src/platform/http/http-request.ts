import type { Request } from 'express';

/** A request as handlers see it, after `platform/http` has read it. */
export interface HttpRequest extends Request {
  /** The same as the header `X-Request-Id` of the answer. */
  id: string;
  /** The body as it came; only below {@link RAW_BODY_PREFIXES}, where it is not parsed. */
  rawBody?: Buffer;
  /** Whose request it is; set by the guard, for the access line. */
  clientId?: string;
}

/** Paths whose bodies belong to somebody else's protocol: kept as bytes, of any content type, and their queries are left alone. */
export const RAW_BODY_PREFIXES = ['/webhook/', '/unsubscribe/'] as const;

export function hasRawBody(path: string): boolean {
  return RAW_BODY_PREFIXES.some((prefix) => path.startsWith(prefix));
}
