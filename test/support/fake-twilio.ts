import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { twilioSignature } from '../../src/gateway/vendors/twilio/twilio.signature';

export const FAKE_ACCOUNT = `AC${'0123456789abcdef'.repeat(2)}`;
export const FAKE_TOKEN = 'fedcba9876543210fedcba9876543210';

interface Taken {
  sid: string;
  to: string;
  body: string;
  at: Date;
}

/** Twilio, outside of the service: it outlives every process of the service, and knows what it was really asked to send. */
export class FakeTwilio {
  /** Everything that it took, in order; a text that is there twice was sent twice. */
  readonly taken: Taken[] = [];
  /** From taking a message to answering so. */
  latencyMs = 20;
  /** Whether its list of messages shows what it took. Twilio's own does, after a moment. */
  lists = true;
  /** Whether it reports each message as delivered. */
  reports = false;
  /** Reports that were answered with 2xx. */
  reported = 0;
  private readonly server = createServer((request, response) => void this.serve(request, response));

  static async start(): Promise<FakeTwilio> {
    const fake = new FakeTwilio();
    fake.server.keepAliveTimeout = 60_000;
    fake.server.listen(0, '127.0.0.1');
    await once(fake.server, 'listening');
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** How often each text was sent. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { body } of this.taken) counts.set(body, (counts.get(body) ?? 0) + 1);
    return counts;
  }

  async close(): Promise<void> {
    this.reports = false;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    try {
      for await (const chunk of request.setEncoding('utf8')) body += chunk as string;
    } catch {
      return; // a caller that was killed in the middle of its request has sent nothing
    }
    const url = new URL(request.url!, 'http://fake');
    if (!url.pathname.endsWith('/Messages.json')) {
      return answer(response, 200, { sid: FAKE_ACCOUNT, status: 'active' });
    }
    if (request.method === 'GET') {
      const found = this.taken.filter(({ to }) => this.lists && to === url.searchParams.get('To')).map(resource);
      return answer(response, 200, { messages: found });
    }
    const form = new URLSearchParams(body);
    const taken = {
      sid: `SM${randomBytes(16).toString('hex')}`,
      to: form.get('To')!,
      body: form.get('Body')!,
      at: new Date(),
    };
    this.taken.push(taken);
    setTimeout(() => {
      answer(response, 201, { ...resource(taken), status: 'queued' });
      if (this.reports) void this.report(taken, form.get('StatusCallback')!.replace(/#.*$/, ''));
    }, this.latencyMs);
  }

  /** As Twilio does when asked to: on every failure again. */
  private async report(taken: Taken, url: string): Promise<void> {
    const fields = { AccountSid: FAKE_ACCOUNT, MessageSid: taken.sid, MessageStatus: 'delivered', To: taken.to };
    while (this.reports) {
      try {
        const answered = await fetch(url, {
          method: 'POST',
          headers: { 'x-twilio-signature': twilioSignature(FAKE_TOKEN, url, Object.entries(fields)) },
          body: new URLSearchParams(fields),
        });
        await answered.arrayBuffer();
        if (answered.ok) {
          this.reported++;
          return;
        }
      } catch {
        // the service is away
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

function resource({ sid, to, body, at }: Taken): Record<string, unknown> {
  const date = at.toUTCString().replace('GMT', '+0000');
  return { sid, to, body, status: 'sent', direction: 'outbound-api', num_segments: '1', date_created: date };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
