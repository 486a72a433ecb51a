import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SsrfGuard } from '../platform/http-client/ssrf-guard';
import { CallbackClient } from './callback-client';

describe('CallbackClient', () => {
  const servers: Server[] = [];
  const listen = async (): Promise<string> => {
    const server = createServer((_, response) => response.end('taken')).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  afterAll(() => servers.forEach((server) => server.close().closeAllConnections()));

  it('reaches this service where it is, and no other internal address', async () => {
    const [own, other] = [await listen(), await listen()];
    const client = new CallbackClient(() => own, new SsrfGuard([]), 2);
    const call = (url: string) => client.request({ method: 'POST', url, body: '', timeoutMs: 3000 });
    try {
      expect((await call(`${own}/webhook/twilio`)).status).toBe(200);
      await expect(call(`${other}/webhook/twilio`)).rejects.toThrow('not a public address');
    } finally {
      await client.close();
    }
  });
});
