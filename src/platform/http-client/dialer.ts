import net from 'node:net';
import tls from 'node:tls';
import { AddressNotAllowedError, type SsrfGuard } from './ssrf-guard';

export interface DialOptions {
  /** A name or an address, as a tenant gave it. */
  host: string;
  port: number;
  /** TLS from the first byte, with the host's name checked against the certificate. */
  tls?: boolean;
  /** Time for the connection and its handshake, milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** Opens TCP and TLS connections to hosts that tenants name, and only to addresses that they may reach. */
export class Dialer {
  /** @param standIn the loopback port that stands in for a host; undefined: the host itself */
  constructor(
    private readonly guard: SsrfGuard,
    private readonly standIn: (host: string) => number | undefined = () => undefined,
  ) {}

  /** Whether a host is led to a stand-in, which speaks no TLS. */
  isStandIn(host: string): boolean {
    return this.standIn(host) !== undefined;
  }

  /** Resolves with a connected socket; nothing was written to it. @throws Error of the network, of TLS, or {@link AddressNotAllowedError} */
  async connect(options: DialOptions): Promise<net.Socket> {
    const { host, port, timeoutMs, signal } = options;
    signal?.throwIfAborted();
    const standIn = this.standIn(host);
    if (standIn === undefined && net.isIP(host) && !this.guard.allows(host)) throw new AddressNotAllowedError(host);
    const secure = options.tls === true && standIn === undefined;
    const target =
      standIn === undefined ? { host, port, lookup: this.guard.lookup } : { host: '127.0.0.1', port: standIn };
    const socket = secure
      ? tls.connect({ ...target, ...(net.isIP(host) ? {} : { servername: host }) })
      : net.connect(target);
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        settle();
        socket.destroy();
        reject(error);
      };
      const aborted = (): void => fail(signal!.reason instanceof Error ? signal!.reason : new Error('aborted'));
      const timer = setTimeout(() => fail(timedOut(host, port)), timeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        socket.off('error', fail);
      };
      socket.once('error', fail);
      signal?.addEventListener('abort', aborted);
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        settle();
        socket.setNoDelay(true);
        resolve(socket);
      });
    });
  }
}

function timedOut(host: string, port: number): Error {
  return Object.assign(new Error(`${host}:${port} did not answer in time`), { code: 'ETIMEDOUT' });
}
