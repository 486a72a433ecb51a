import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** FCM and Google's token endpoint (under `/oauth`), outside of the service: takes everything, and counts. */
export class ScriptedFcm {
  /** Device tokens, one a notification that was taken. */
  readonly taken: string[] = [];
  private readonly server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      if (request.url!.startsWith('/oauth')) {
        response.end(JSON.stringify({ access_token: 'ya29.scripted', expires_in: 3599, token_type: 'Bearer' }));
        return;
      }
      const { message } = JSON.parse(Buffer.concat(parts).toString('utf8')) as { message: { token: string } };
      this.taken.push(message.token);
      response.end(JSON.stringify({ name: `projects/scripted/messages/${this.taken.length}` }));
    });
  });

  static async start(): Promise<ScriptedFcm> {
    const fcm = new ScriptedFcm();
    fcm.server.listen(0, '127.0.0.1');
    await once(fcm.server, 'listening');
    return fcm;
  }

  /** For the service's environment. */
  get environment(): Record<string, string> {
    const url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return { FCM_BASE_URL: url, GOOGLE_OAUTH_BASE_URL: `${url}/oauth` };
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
