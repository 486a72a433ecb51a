/** The origin of a callback URL, or null when it is none. */
export function callbackOrigin(url: string): string | null {
  const parsed = URL.parse(url);
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? parsed.origin : null;
}

/**
 * Where an inbound message goes, read off a message's status callback URL: `/webhook/…/status/…` with `inbound` in place of `status`, without our
 * message id. Real accounts have it in their set-up; a stand-in has no set-up.
 */
export function inboundUrl(statusUrl: string): string {
  const url = new URL(statusUrl);
  url.pathname = url.pathname.replace(/\/status(?=\/|$)/, '/inbound');
  url.searchParams.delete('message_id');
  return url.toString();
}
