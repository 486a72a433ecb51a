import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One call that a provider got. */
export interface ProviderCall {
  at: number;
  method: string;
  path: string;
  query: URLSearchParams;
  form: Record<string, string>;
  headers: IncomingMessage['headers'];
}

/** What a provider does with a send. `take` makes it keep the message, as a provider that then fails to say so. */
export interface Behaviour {
  take?: boolean;
  /** Taken, and not shown by the provider's look-up. */
  hidden?: boolean;
  answer: (response: ServerResponse, accepted: () => void) => void;
}

export const accepted: Behaviour = { take: true, answer: (_response, accept) => accept() };
export const hang: Behaviour = { answer: () => undefined };
export const takeAndHang: Behaviour = { take: true, answer: () => undefined };
export const reset: Behaviour = { answer: (response) => response.socket?.resetAndDestroy() };
export const takeAndReset: Behaviour = { take: true, answer: (response) => response.socket?.resetAndDestroy() };
export const takeHiddenAndReset: Behaviour = { ...takeAndReset, hidden: true };
export const garbage: Behaviour = { answer: (response) => response.writeHead(200).end('<html>not json') };
export function answers(status: number, body: unknown = {}, headers: Record<string, string> = {}): Behaviour {
  return {
    answer: (response) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body)),
  };
}

/**
 * A provider that does as it is told, by recipient: each send to a number takes the next behaviour that was set for it, then the last one for
 * good; a number that nothing was set for is accepted.
 */
export abstract class ScriptedProvider {
  readonly calls: ProviderCall[] = [];
  /** For numbers that nothing was set for. */
  fallback: Behaviour = accepted;
  private readonly behaviours = new Map<string, Behaviour[]>();
  private readonly server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://provider');
      const call: ProviderCall = {
        at: Date.now(),
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        form: Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString('utf8'))),
        headers: request.headers,
      };
      this.calls.push(call);
      this.handle(call, response);
    });
  });

  protected abstract handle(call: ProviderCall, response: ServerResponse): void;
  protected abstract isSend(call: ProviderCall): boolean;
  protected abstract recipientOf(call: ProviderCall): string;

  async listen(): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  on(to: string, ...behaviours: Behaviour[]): void {
    this.behaviours.set(to, behaviours);
  }

  /** Sends, of one recipient or all. */
  sends(to?: string): ProviderCall[] {
    return this.calls.filter((call) => this.isSend(call) && (to === undefined || this.recipientOf(call) === to));
  }

  protected next(to: string): Behaviour {
    const list = this.behaviours.get(to);
    if (!list || list.length === 0) return this.fallback;
    return list.length > 1 ? list.shift()! : list[0]!;
  }

  protected json(response: ServerResponse, status: number, body: unknown): void {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
