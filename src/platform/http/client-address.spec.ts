import type { IncomingMessage } from 'node:http';
import { ClientAddress } from './client-address';

const request = (remoteAddress: string | undefined, forwarded?: string) =>
  ({
    socket: { remoteAddress },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  }) as unknown as IncomingMessage;

describe('ClientAddress', () => {
  const behind = new ClientAddress({ trustedProxies: ['10.0.0.0/8', 'fd00::/8'] });
  const bare = new ClientAddress({ trustedProxies: [] });

  it.each([
    ['the peer where nobody is trusted', bare, '10.0.0.1', '198.51.100.7', '10.0.0.1'],
    ['the peer that is no proxy, whatever it claims', behind, '203.0.113.9', '198.51.100.7', '203.0.113.9'],
    ['what the proxy saw', behind, '10.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['what the first of several proxies saw', behind, 'fd00::1', '198.51.100.7, 10.1.1.1', '198.51.100.7'],
    ['not what the client wrote itself', behind, '10.0.0.1', '1.2.3.4, 198.51.100.7', '198.51.100.7'],
    ['the last that makes sense', behind, '10.0.0.1', 'unknown, 10.1.1.1', '10.1.1.1'],
    ['the proxy that says nothing', behind, '10.0.0.1', undefined, '10.0.0.1'],
    ['IPv4 in IPv6', behind, '::ffff:10.0.0.1', '::ffff:198.51.100.7', '198.51.100.7'],
    ['addresses with ports', behind, '10.0.0.1', '[2001:db8::1]:4711', '2001:db8::1'],
    ['IPv4 with a port', behind, '10.0.0.1', '198.51.100.7:4711', '198.51.100.7'],
    ['nothing of a closed connection', behind, undefined, '198.51.100.7', ''],
  ])('answers %s', (_, addresses, peer, forwarded, expected) => {
    expect(addresses.of(request(peer, forwarded))).toBe(expected);
  });
});
