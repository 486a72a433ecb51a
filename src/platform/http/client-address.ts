import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import ipaddr from 'ipaddr.js';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Where a request comes from. `X-Forwarded-For` counts only as far as proxies of the operator wrote it (`UNIMSG_TRUSTED_PROXIES`): it is read
 * from its end, and the first address that is no such proxy is the client's. What stands before it anybody can have written.
 */
@Injectable()
export class ClientAddress {
  private readonly trusted: ReadonlyArray<[Address, number]>;

  constructor(@Inject(APP_CONFIG) config: Pick<AppConfig, 'trustedProxies'>) {
    this.trusted = config.trustedProxies.map((cidr) => ipaddr.parseCIDR(cidr));
  }

  /** The IP address, IPv4 in its dotted form; empty when the connection is gone. */
  of(request: Pick<IncomingMessage, 'headers' | 'socket'>): string {
    const peer = plain(request.socket.remoteAddress ?? '');
    const forwarded = request.headers['x-forwarded-for'];
    if (forwarded === undefined || !this.isTrusted(peer)) return peer;
    let client = peer;
    for (const hop of String(forwarded).split(',').reverse()) {
      const address = plain(hop.trim());
      // Not an address: whoever wrote it, what is before it says nothing.
      if (!ipaddr.isValid(address)) return client;
      client = address;
      if (!this.isTrusted(address)) return client;
    }
    return client;
  }

  private isTrusted(address: string): boolean {
    if (this.trusted.length === 0 || !ipaddr.isValid(address)) return false;
    const parsed = ipaddr.parse(address);
    return this.trusted.some(([range, bits]) => parsed.kind() === range.kind() && parsed.match(range as never, bits));
  }
}

/** IPv4 that a socket of both families shows as IPv6; brackets and ports as some proxies add them. */
function plain(address: string): string {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address;
  return bare.replace(/^::ffff:(?=\d+\.)/i, '');
}
