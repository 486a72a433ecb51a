import { domainToASCII } from 'node:url';

/** Longest address and longest local part in octets of UTF-8 (RFC 5321 §4.5.3.1, RFC 6531). */
const MAX_ADDRESS_BYTES = 254;
const MAX_LOCAL_BYTES = 64;

/** Atoms of a local part: those of RFC 5322, and by RFC 6531 what is not ASCII, without what cannot be seen. */
const LOCAL =
  /^(?:[\w!#$%&'*+/=?^`{|}~-]|[^\p{ASCII}\p{C}\p{Z}])+(?:\.(?:[\w!#$%&'*+/=?^`{|}~-]|[^\p{ASCII}\p{C}\p{Z}])+)*$/u;

/** Names with two labels at least, the last of which is no number: no address literals, no hosts of one's own network. */
const HOST = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What would be mapped away unseen, or is syntax in a URL, before the domain is looked at. */
const DOMAIN_INPUT = /^(?:[A-Za-z0-9.-]|[^\p{ASCII}\p{C}\p{Z}])+$/u;

/** Whether the text is one email address, `local@domain`, without display name, quotes or comments. Local part and domain may be in any script. */
export function isEmailAddress(text: string): boolean {
  const at = text.lastIndexOf('@');
  if (at < 1 || Buffer.byteLength(text) > MAX_ADDRESS_BYTES) return false;
  const local = text.slice(0, at);
  if (Buffer.byteLength(local) > MAX_LOCAL_BYTES || !LOCAL.test(local)) return false;
  return asciiDomain(text.slice(at + 1)) !== undefined;
}

/**
 * What equal addresses have in common: lower case, the domain in its ASCII form. For comparing only, since a server may tell upper from lower
 * case in a local part.
 */
export function emailKey(address: string): string {
  const at = address.lastIndexOf('@');
  const domain = address.slice(at + 1);
  return `${address.slice(0, at).normalize('NFC').toLowerCase()}@${asciiDomain(domain) ?? domain.toLowerCase()}`;
}

/**
 * The address as servers without SMTPUTF8 take it: its domain in ASCII. One with a local part in another script needs SMTPUTF8 anyway, and stays
 * as it is.
 */
export function asciiAddress(address: string): string {
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  const domain = /^[\x21-\x7e]+$/.test(local) ? asciiDomain(address.slice(at + 1)) : undefined;
  // Nothing is changed about a domain that is ASCII, not even its case.
  return domain === undefined || /^[\x21-\x7e]+$/.test(address) ? address : `${local}@${domain}`;
}

function asciiDomain(domain: string): string | undefined {
  if (!DOMAIN_INPUT.test(domain)) return undefined;
  const ascii = domainToASCII(domain);
  return ascii.length <= 253 && HOST.test(ascii) ? ascii : undefined;
}
