import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from './api-client';

export interface ReceivedDelivery {
  at: number;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A client's own server, which gets events. */
export class ClientReceiver {
  readonly received: ReceivedDelivery[] = [];
  answer: (response: ServerResponse, delivery: ReceivedDelivery) => void = (response) => response.writeHead(204).end();
  private readonly server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const delivery = {
        at: Date.now(),
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(parts).toString('utf8'),
      };
      this.received.push(delivery);
      this.answer(response, delivery);
    });
  });

  static async start(answer?: ClientReceiver['answer']): Promise<ClientReceiver> {
    const receiver = new ClientReceiver();
    if (answer) receiver.answer = answer;
    await new Promise<void>((done) => receiver.server.listen(0, '127.0.0.1', done));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/hook`;
  }

  /** The events that came, parsed, oldest first. */
  get events(): Array<{ event: string; id: string; data: Record<string, unknown>; created_at: string }> {
    return this.received.map(({ body }) => JSON.parse(body));
  }

  async waitFor(count: number, patienceMs?: number): Promise<void> {
    await eventually(
      () => this.received.length,
      (length) => length >= count,
      patienceMs,
    );
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
