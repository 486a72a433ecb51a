/** What the URL standard leaves as it is after the host, and a URI (RFC 3986) has to have escaped. */
const NOT_IN_A_URI = /[`^{|}[\]]/g;

/**
 * A web address as a URI, which is ASCII: host in punycode, everything else escaped. Providers that are strict refuse another one, and some that
 * fetch it escape it in a way of their own. What is no address stays as it is.
 */
export function asUri(address: string): string {
  const href = URL.parse(address)?.href;
  if (href === undefined || !/^https?:/.test(href)) return address;
  const afterHost = href.indexOf('/', href.indexOf('//') + 2);
  return href.slice(0, afterHost) + href.slice(afterHost).replace(NOT_IN_A_URI, encodeURIComponent);
}
