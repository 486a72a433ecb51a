import net from 'node:net';
import ipaddr from 'ipaddr.js';
import { buildConnector } from 'undici';
import { Problem } from '../../kernel/problem';
import { BoundedLookup, type Resolve } from './bounded-lookup';

/** Global unicast, the only part of IPv6 that the public internet uses. What lies outside embeds IPv4 or is local in some way. */
const GLOBAL_UNICAST_V6 = ipaddr.parseCIDR('2000::/3');

/** Quirk: Azure's host agent answers on a public address from inside every virtual machine (Microsoft Learn, "IP address 168.63.129.16"). */
const METADATA_ON_PUBLIC_ADDRESS = '168.63.129.16';

/** The text that every refusal ends with, so that a developer finds the way out. */
const HINT = 'calls to internal addresses are refused; the operator can open ranges with UNIMSG_ALLOWED_PRIVATE_CIDRS';

/** How long a creation waits for the name to resolve. */
const CHECK_TIMEOUT_MS = 3000;

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A connection was refused because of where it leads. */
export class AddressNotAllowedError extends Error {
  readonly code = 'UNIMSG_ADDRESS_NOT_ALLOWED';

  constructor(address: string) {
    super(`${address} is not a public address; ${HINT}`);
    this.name = 'AddressNotAllowedError';
  }
}

/**
 * Keeps calls to addresses that tenants give on the public internet. A name is judged when the URL is given ({@link check}) and, because what
 * it resolves to can change, again at every connection ({@link connector}), on the very addresses that the socket is opened to.
 */
export class SsrfGuard {
  private readonly allowed: ReadonlyArray<[Address, number]>;

  /** @param allowedPrivateCidrs ranges that may be reached besides the public internet */
  constructor(
    allowedPrivateCidrs: readonly string[],
    private readonly resolve: Resolve = new BoundedLookup().resolve,
  ) {
    this.allowed = allowedPrivateCidrs.map((cidr) => ipaddr.parseCIDR(cidr));
  }

  /** Whether calls may go to this IP address, written in any valid way. What is not an address is not allowed. */
  allows(address: string): boolean {
    // A zone (`fe80::1%eth0`) only makes sense on a link, so such an address is never public.
    if (!ipaddr.isValid(address) || address.includes('%')) return false;
    const parsed = ipaddr.parse(address);
    if (this.inAllowedRange(parsed)) return true;
    if (parsed instanceof ipaddr.IPv6) {
      if (parsed.isIPv4MappedAddress() && this.inAllowedRange(parsed.toIPv4Address())) return true;
      return parsed.range() === 'unicast' && parsed.match(GLOBAL_UNICAST_V6 as [ipaddr.IPv6, number]);
    }
    return parsed.range() === 'unicast' && parsed.toString() !== METADATA_ON_PUBLIC_ADDRESS;
  }

  /**
   * Judges a URL that a tenant gives, before it is stored. A name that does not resolve now passes: DNS trouble is no reason to refuse a
   * client's set-up, and each connection is judged anyway.
   * @param field the request field that errors name
   * @throws Problem 400 naming the field: not http or https, with user name, or an address that is not public
   */
  async check(url: string, field = 'url'): Promise<void> {
    const parsed = URL.parse(url);
    if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') || parsed.hostname === '') {
      throw Problem.field(field, 'invalid_url', 'must be an http or https URL');
    }
    if (parsed.username !== '' || parsed.password !== '') {
      throw Problem.field(field, 'invalid_url', 'must not hold a user name or password');
    }
    // The URL parser has already turned decimal, octal, hexadecimal and short spellings into the dotted one.
    const host = bareHost(parsed.hostname);
    const addresses = net.isIP(host) ? [host] : await this.tryResolve(host);
    if (this.refusedOf(addresses) !== undefined) {
      throw Problem.field(field, 'address_not_allowed', `leads to an address that is not public; ${HINT}`);
    }
  }

  /** undici's connector with every address judged right before a socket is opened to it. */
  connector(): buildConnector.connector {
    const connect = buildConnector({ timeout: 10_000, lookup: this.lookup });
    return (options, callback) => {
      // Node does not look literal addresses up, so they would pass the lookup unseen.
      const host = bareHost(options.hostname);
      if (net.isIP(host) && !this.allows(host)) callback(new AddressNotAllowedError(host), null);
      else connect(options, callback);
    };
  }

  /** `dns.lookup` for sockets: answers no address at all when one of them is not allowed (see {@link refusedOf}), and never one that is not. */
  readonly lookup: net.LookupFunction = (hostname, options, callback) => {
    this.resolve(hostname).then(
      (found) => {
        const refused = this.refusedOf(found.map(({ address }) => address));
        if (refused !== undefined) return callback(new AddressNotAllowedError(refused), '', 0);
        const usable = found.filter(
          ({ address, family }) => this.allows(address) && (!options.family || options.family === family),
        );
        if (usable.length === 0) {
          callback(Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' }), '', 0);
        } else if (options.all) {
          callback(null, [...usable]);
        } else {
          callback(null, usable[0]!.address, usable[0]!.family);
        }
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };

  /**
   * The address for which a name is refused: a name with both kinds is a trap. But for one that leads nowhere but to this very machine, as `localhost`
   * does by IPv4 and IPv6: of that those are used that are allowed.
   */
  private refusedOf(addresses: readonly string[]): string | undefined {
    const refused = addresses.filter((address) => !this.allows(address));
    return refused.length < addresses.length && addresses.every(isLoopback) ? undefined : refused[0];
  }

  private async tryResolve(host: string): Promise<string[]> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never[]>((done) => {
      timer = setTimeout(() => done([]), CHECK_TIMEOUT_MS);
    });
    try {
      const found = await Promise.race([this.resolve(host), late]);
      return found.map(({ address }) => address);
    } catch {
      return [];
    } finally {
      clearTimeout(timer);
    }
  }

  private inAllowedRange(address: Address): boolean {
    return this.allowed.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network as never, bits),
    );
  }
}

function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';
}

function bareHost(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
