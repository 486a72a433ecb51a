import net from 'node:net';
import { ScriptedServer, answer } from '../../../test/support/scripted-server';
import { Problem } from '../../kernel/problem';
import type { Resolve } from './bounded-lookup';
import { SsrfGuard } from './ssrf-guard';
import { UndiciHttpClient } from './undici-http-client';

/** Answers the next list of addresses at each call, the last one for ever. */
const resolving = (...answers: string[][]): Resolve => {
  let call = 0;
  return async () =>
    answers[Math.min(call++, answers.length - 1)]!.map((address) => ({ address, family: net.isIPv6(address) ? 6 : 4 }));
};

const PUBLIC = [
  '8.8.8.8',
  '1.1.1.1',
  '93.184.216.34',
  '172.15.0.1',
  '172.32.0.1',
  '100.63.0.1',
  '100.128.0.1',
  '2606:4700::1111',
  '2a00:1450:4001::1',
];

const INTERNAL = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:0:127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::10.0.0.1',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2002:a00:1::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%lo',
  'fec0::1',
  'ff02::1',
];

describe('SsrfGuard', () => {
  const guard = new SsrfGuard([]);

  it.each(PUBLIC)('allows %s', (address) => expect(guard.allows(address)).toBe(true));
  it.each(INTERNAL)('refuses %s', (address) => expect(guard.allows(address)).toBe(false));
  it('refuses what is no address', () => expect(guard.allows('example.com')).toBe(false));

  it('opens exactly the ranges that the operator allows', () => {
    const opened = new SsrfGuard(['127.0.0.0/8', 'fd00::/8']);
    expect(['127.0.0.1', '::ffff:127.0.0.1', 'fd12::1', '8.8.8.8'].map((address) => opened.allows(address))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['10.0.0.1', '::1', 'fc00::1', '169.254.169.254'].map((address) => opened.allows(address))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  describe('check', () => {
    const problemOf = async (url: string, resolve?: Resolve): Promise<Problem> => {
      const error: unknown = await new SsrfGuard([], resolve).check(url).then(
        () => new Error('allowed'),
        (caught: unknown) => caught,
      );
      expect(error).toBeInstanceOf(Problem);
      return error as Problem;
    };

    it.each([
      'http://127.0.0.1/',
      'http://127.1/',
      'http://2130706433/',
      'http://0x7f000001/',
      'http://0x7f.0.0.1/',
      'http://0177.0.0.1/',
      'http://017700000001/',
      'http://127.0.0.1./',
      'http://①②⑦.⓪.⓪.①/',
      'http://%31%32%37.0.0.1/',
      'http://[::1]/',
      'http://[::ffff:7f00:1]/',
      'http://[0:0:0:0:0:ffff:127.0.0.1]:8080/hook',
      'https://169.254.169.254/latest/meta-data/',
      'http://0/',
    ])('refuses %s without asking DNS', async (url) => {
      const problem = await problemOf(url, () => Promise.reject(new Error('asked DNS')));
      expect(problem.status).toBe(400);
      expect(problem.options.errors).toEqual([
        { field: 'url', code: 'address_not_allowed', message: expect.stringContaining('UNIMSG_ALLOWED_PRIVATE_CIDRS') },
      ]);
    });

    it.each([
      ['one internal address', ['10.0.0.1']],
      ['a public and an internal one', ['8.8.8.8', '::1']],
    ])('refuses a name with %s', async (_, addresses) => {
      const problem = await problemOf('https://example.com/hook', resolving(addresses));
      expect(problem.options.errors![0]!.code).toBe('address_not_allowed');
    });

    it.each([
      'ftp://example.com/',
      'file:///etc/passwd',
      'javascript:alert(1)',
      'example.com',
      '',
      'http://',
      '//example.com/x',
    ])('refuses %p as no http URL', async (url) =>
      expect((await problemOf(url)).options.errors![0]!.code).toBe('invalid_url'),
    );

    it.each(['http://user@example.com/', 'http://user:pass@example.com/', 'http://:pass@example.com/'])(
      'refuses the user part of %s, without repeating it',
      async (url) => {
        const problem = await problemOf(url);
        expect(problem.options.errors![0]!.code).toBe('invalid_url');
        expect(JSON.stringify(problem.options)).not.toContain('pass@');
      },
    );

    it('names the field that it was asked about', async () => {
      await expect(guard.check('http://10.0.0.1/', 'delivery[0].url')).rejects.toMatchObject({
        options: { errors: [{ field: 'delivery[0].url' }] },
      });
    });

    it('allows a public name, and one that does not resolve now', async () => {
      await expect(
        new SsrfGuard([], resolving(['8.8.8.8', '2606:4700::1111'])).check('https://example.com/hook?x=1'),
      ).resolves.toBeUndefined();
      await expect(
        new SsrfGuard([], () => Promise.reject(new Error('ENOTFOUND'))).check('https://example.com/'),
      ).resolves.toBeUndefined();
    });
  });

  describe('at each connection', () => {
    let server: ScriptedServer;
    const clients: UndiciHttpClient[] = [];
    const guarded = (cidrs: string[], resolve?: Resolve): UndiciHttpClient => {
      const client = new UndiciHttpClient({ guard: new SsrfGuard(cidrs, resolve) });
      clients.push(client);
      return client;
    };

    beforeEach(async () => void (server = await ScriptedServer.start()));
    afterEach(async () => {
      await Promise.all(clients.splice(0).map((client) => client.close()));
      await server.close();
    });

    const get = (client: UndiciHttpClient, url: string) => client.request({ method: 'GET', url, timeoutMs: 3000 });
    const refusal = {
      outcome: 'not_written',
      reason: 'address_not_allowed',
      message: expect.stringContaining('UNIMSG_ALLOWED_PRIVATE_CIDRS'),
    };

    it.each(['127.0.0.1', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]'])(
      'refuses http://%s and opens no socket',
      async (host) => {
        await expect(get(guarded([]), `http://${host}:${server.port}/`)).rejects.toMatchObject(refusal);
        expect(server.connections).toBe(0);
      },
    );

    it('refuses a name that leads inside, real DNS', async () => {
      await expect(get(guarded([]), `http://localhost:${server.port}/`)).rejects.toMatchObject(refusal);
      expect(server.connections).toBe(0);
    });

    it('is not fooled by a name that changes after the check', async () => {
      const resolve = resolving(['8.8.8.8'], ['127.0.0.1']);
      await new SsrfGuard([], resolve).check(`http://rebind.example:${server.port}/`);
      await expect(get(guarded([], resolve), `http://rebind.example:${server.port}/`)).rejects.toMatchObject(refusal);
      expect(server.connections).toBe(0);
    });

    it('judges every new connection, not only the first', async () => {
      const client = guarded(['127.0.0.1/32'], resolving(['127.0.0.1'], ['127.0.0.2']));
      server.scripts.push((socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'));
      expect((await get(client, `http://name.example:${server.port}/`)).status).toBe(200);
      await expect(get(client, `http://name.example:${server.port}/`)).rejects.toMatchObject(refusal);
      expect(server.connections).toBe(1);
    });

    it('reaches a range that the operator has opened, and does not follow it elsewhere', async () => {
      server.fallback = answer(307, '', { location: 'http://169.254.169.254/' });
      const client = guarded(['127.0.0.0/8']);
      expect((await get(client, `${server.origin}/`)).status).toBe(307);
      expect(
        (await get(guarded(['127.0.0.0/8'], resolving(['127.0.0.1'])), `http://name.example:${server.port}/`)).status,
      ).toBe(307);
    });

    it('reaches a name of this machine by the addresses that are allowed, whatever others it has', async () => {
      const both = resolving(['::1', '127.0.0.1']);
      const url = `http://localhost:${server.port}/`;
      expect((await get(guarded(['127.0.0.0/8'], both), url)).status).toBe(200);
      await expect(new SsrfGuard(['127.0.0.0/8'], both).check(url)).resolves.toBeUndefined();
      // Nowhere else: neither without a range, nor a name that leads to other places too.
      await expect(get(guarded([], both), url)).rejects.toMatchObject(refusal);
      await expect(get(guarded(['10.0.0.0/8'], both), url)).rejects.toMatchObject(refusal);
      for (const other of ['10.0.0.1', '8.8.8.8', '::ffff:10.0.0.1']) {
        const mixed = resolving(['127.0.0.1', '::1', other]);
        await expect(get(guarded(['127.0.0.0/8'], mixed), url)).rejects.toMatchObject(refusal);
      }
      expect(server.connections).toBe(1);
    });

    it('reports a failing name as dns', async () => {
      const failing = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
      await expect(
        get(
          guarded([], () => Promise.reject(failing)),
          'http://gone.example/',
        ),
      ).rejects.toMatchObject({ outcome: 'not_written', reason: 'dns' });
      await expect(get(guarded([], resolving([])), 'http://empty.example/')).rejects.toMatchObject({ reason: 'dns' });
    });
  });

  it('does not wait for ever for DNS at a check', async () => {
    jest.useFakeTimers();
    try {
      const hanging = new SsrfGuard([], () => new Promise(() => undefined));
      const checked = hanging.check('https://slow.example/').then(() => 'checked');
      await jest.advanceTimersByTimeAsync(3000);
      await expect(checked).resolves.toBe('checked');
    } finally {
      jest.useRealTimers();
    }
  });
});
