import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { checkVersion } from './start-database';
import { checkRedis } from './start-redis';
import { StartRefused } from './start-refused';

/** Says of itself what Redis says to INFO, and OK to everything else. */
async function redisOf(version: string): Promise<Server> {
  const about = `# Server\r\nredis_version:${version}\r\nloading:0\r\n`;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      for (const word of bytes
        .toString()
        .toLowerCase()
        .match(/(?<=\n)(?:info|client|select)\r\n/g) ?? [])
        socket.write(word.startsWith('info') ? `$${about.length}\r\n${about}\r\n` : '+OK\r\n');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('the start', () => {
  it.each([
    [130_018, '13.18', true],
    [96_024, '9.6.24', true],
    [140_000, '14.0', false],
    [180_001, '18.1', false],
  ])('takes PostgreSQL 14 or later: %i', (number, version, isRefused) => {
    const check = () => checkVersion({ number, version });
    if (isRefused)
      expect(check).toThrow(
        new StartRefused(`DATABASE_URL: PostgreSQL 14 or later is needed, and this is ${version}.`),
      );
    else expect(check).not.toThrow();
  });

  it.each([
    ['6.0.16', true],
    ['5.0.7', true],
    ['6.2.0', false],
    ['7.4.1', false],
  ])('takes Redis 6.2 or later: %s', async (version, isRefused) => {
    const server = await redisOf(version);
    try {
      const check = checkRedis(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
      if (isRefused)
        await expect(check).rejects.toThrow(`REDIS_URL: Redis 6.2 or later is needed, and this is ${version}.`);
      else await expect(check).resolves.toBeUndefined();
    } finally {
      server.close();
    }
  });

  it('waits for no Redis that is away', async () => {
    await expect(checkRedis('redis://127.0.0.1:1')).resolves.toBeUndefined();
  });
});
