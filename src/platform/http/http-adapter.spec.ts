import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import request from 'supertest';
import { startHttpTestApp, type HttpTestApp } from '../../../test/support/http-test-app';
import { SlowRequests, ThingController } from '../../../test/support/thing.controller';

describe('HTTP adapter', () => {
  let test: HttpTestApp;
  const http = () => request(test.url);
  const post = (path: string, body: string | Buffer, type = 'application/json') =>
    http()
      .post(path)
      .set('Content-Type', type)
      .serialize((bytes) => bytes as unknown as string)
      .send(body as string);
  const problem = (answer: request.Response) =>
    answer.body as {
      code: string;
      status: number;
      detail: string;
      request_id: string;
      errors: Array<{ field: string; code: string }>;
    };

  beforeAll(async () => {
    test = await startHttpTestApp({ controllers: [ThingController] });
  });
  afterAll(() => test.close());

  describe('every answer', () => {
    it('has a request id: its own, or the well-formed one of the client', async () => {
      const made = await http().get('/v1/things/1').expect(200);
      expect(made.headers['x-request-id']).toMatch(/^req_[0-9a-z]{26}$/);
      const kept = await http().get('/v1/things/1').set('X-Request-Id', 'client-1.~_Z');
      expect(kept.headers['x-request-id']).toBe('client-1.~_Z');
      for (const bad of ['a b', 'x'.repeat(129), 'ü', '<script>', '']) {
        const answer = await http().get('/v1/things/1').set('X-Request-Id', Buffer.from(bad).toString('latin1'));
        expect(answer.headers['x-request-id']).toMatch(/^req_/);
      }
      const refused = await http().get('/nowhere').set('X-Request-Id', 'mine');
      expect(problem(refused).request_id).toBe('mine');
    });

    it('tells nothing of the framework and may not be sniffed or stored', async () => {
      const { headers } = await http().get('/v1/things/1');
      expect(headers).not.toHaveProperty('x-powered-by');
      expect(headers).not.toHaveProperty('etag');
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        'content-type': 'application/json; charset=utf-8',
      });
    });

    it('runs no middleware that some routes would pass by', () => {
      expect(() => test.app.use(() => {})).toThrow('a middleware needs a path here');
    });

    it('leaves an access line without query, body or path parameter', async () => {
      test.logs.length = 0;
      await http().get('/v1/things/+4670000?to=+46709999').set('X-Request-Id', 'line-1').expect(200);
      await http().get('/v1/fail/problem?to=+46709999').set('X-Request-Id', 'line-2').expect(409);
      const lines = test.logs.filter((line) => line.message === 'request');
      expect(lines).toMatchObject([
        { level: 'debug', fields: { method: 'GET', route: '/v1/things/:id', status: 200, request_id: 'line-1' } },
        { level: 'info', fields: { method: 'GET', route: '/v1/fail/:how', status: 409, request_id: 'line-2' } },
      ]);
      expect(JSON.stringify(test.logs)).not.toMatch(/4670/);
    });
  });

  describe('errors', () => {
    it('answers an expected refusal with its headers', async () => {
      const answer = await http().get('/v1/fail/problem').set('X-Request-Id', 'r1').expect(409);
      expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json', 'x-why': 'test' });
      expect(answer.body).toEqual({
        success: false,
        type: '/problems/conflict',
        title: 'The resource is in a state that does not allow this',
        status: 409,
        detail: 'It is so.',
        code: 'conflict',
        errors: [],
        request_id: 'r1',
      });
    });

    it('answers 503 with Retry-After when the database is away', async () => {
      const answer = await http().get('/v1/fail/database').expect(503);
      expect(answer.headers['retry-after']).toBe('1');
      expect(answer.text).not.toContain('secret-host');
    });

    it('answers a bare 500 to a fault, and logs it under the request id', async () => {
      test.logs.length = 0;
      const answer = await http().get('/v1/fail/bug').set('X-Request-Id', 'bug-1').expect(500);
      expect(problem(answer)).toMatchObject({ code: 'internal', status: 500, errors: [] });
      expect(answer.text).not.toMatch(/SELECT|stack|\.ts/);
      const [line] = test.logs.filter((one) => one.level === 'error');
      expect(line).toMatchObject({ fields: { request_id: 'bug-1', err: { message: 'SELECT secret FROM stack' } } });
    });

    it.each([
      ['/nowhere', 404, 'not_found'],
      ['/v1/nowhere/%F0%9F%98%80', 404, 'not_found'],
      ['/V1/things', 404, 'not_found'],
      ['/v1/fail/method', 405, 'invalid_request'],
      ['/v1/fail/teapot', 418, 'invalid_request'],
    ])('answers %s with %i and no echo', async (path, status, code) => {
      const answer = await http().get(path).expect(status);
      expect(answer.headers['content-type']).toBe('application/problem+json');
      expect(problem(answer)).toMatchObject({ status, code });
      expect(answer.text).not.toMatch(/nowhere|script|stout/);
    });
  });

  describe('size', () => {
    const MIB = 1024 * 1024;
    const ofSize = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`;

    it('answers 413 over 1 MiB, and over 10 MiB where a body may be large', async () => {
      await post('/v1/bare', ofSize(MIB)).expect(201);
      const over = await post('/v1/bare', ofSize(MIB + 1)).expect(413);
      expect(problem(over)).toMatchObject({ code: 'payload_too_large', errors: [{ field: 'body' }] });
      await post('/v1/messages/batch', ofSize(10 * MIB)).expect(201);
      await post('/v1/messages/batch', ofSize(10 * MIB + 1)).expect(413);
    });

    it('answers by the declared length, before the body comes', async () => {
      const socket = await open(test.port);
      socket.write(
        'POST /v1/bare HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n{',
      );
      expect(await readUntil(socket, /"status":413/)).toMatch(/^HTTP\/1\.1 413 /);
      socket.destroy();
    });

    it('lets a client that closes after the answer write to its end first', async () => {
      const head = 'POST /v1/bare HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n';
      const bodies = [
        { length: `Content-Length: ${8 * MIB}`, chunk: 'x'.repeat(0x10000), end: '' },
        { length: 'Transfer-Encoding: chunked', chunk: `10000\r\n${'x'.repeat(0x10000)}\r\n`, end: '0\r\n\r\n' },
      ];
      for (const { length, chunk, end } of bodies) {
        const socket = await open(test.port);
        const write = (text: string) =>
          new Promise<void>((resolve, reject) => socket.write(text, (error) => (error ? reject(error) : resolve())));
        const answer = readUntil(socket, /"status":413/);
        await write(`${head}${length}\r\n\r\n`);
        for (let written = 0; written < 8 * MIB; written += 0x10000) await write(chunk);
        if (end) await write(end);
        expect(await answer).toMatch(/^HTTP\/1\.1 413 /);
      }
    });

    it('does not ask for a body that it would refuse', async () => {
      const head = 'POST /v1/bare HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n';
      const refused = await open(test.port);
      refused.write(`${head}Content-Length: 999999999\r\n\r\n`);
      expect(await readUntil(refused, /"status":413/)).toMatch(/^HTTP\/1\.1 413 /);
      refused.destroy();
      const taken = await open(test.port);
      taken.write(`${head}Content-Length: 7\r\n\r\n`);
      expect(await readUntil(taken, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 100 /);
      taken.write('{"a":1}');
      expect(await readUntil(taken, /"a":1/)).toMatch(/^HTTP\/1\.1 201 /);
      taken.destroy();
    });

    it('counts a body of unknown length while it comes, and cuts off who does not stop', async () => {
      const socket = await open(test.port);
      socket.on('error', () => {});
      socket.write(
        'POST /v1/bare HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      );
      const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
      const answered = readUntil(socket, /"status":413/);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      let pumping = true;
      void closed.then(() => (pumping = false));
      const pump = () => {
        while (pumping && socket.write(chunk));
        if (pumping) socket.once('drain', pump);
      };
      pump();
      expect(await answered).toMatch(/^HTTP\/1\.1 413 /);
      await closed;
    });
  });

  describe('webhook paths', () => {
    it('keep the bytes, of any type, and read queries as they are', async () => {
      const bytes = Buffer.from([0x00, 0xff, 0x7b, 0x0a]);
      const answer = await post('/webhook/raw?a=1&a=2&b=%zz', bytes, 'application/octet-stream').expect(201);
      expect(answer.body).toEqual({
        success: true,
        data: { hex: '00ff7b0a', parsed: false, query: { a: '2', b: '%zz' } },
      });
      const json = await post('/webhook/raw', '{"a": 1}').expect(201);
      expect(json.body).toMatchObject({ data: { hex: Buffer.from('{"a": 1}').toString('hex'), parsed: false } });
      const empty = await http().post('/webhook/raw').expect(201);
      expect(empty.body).toMatchObject({ data: { hex: '' } });
    });

    it('are limited in size too', async () => {
      await post('/webhook/raw', Buffer.alloc(1024 * 1024 + 1), 'text/plain').expect(413);
    });
  });

  describe('connections', () => {
    it('are answered with a problem when they do not speak HTTP', async () => {
      const socket = await open(test.port);
      socket.write('NONSENSE\r\n\r\n');
      const text = await readUntil(socket, /request_id":"[^"]+"}/);
      expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
      expect(text).toContain('application/problem+json');
      socket.destroy();
      const large = await open(test.port);
      large.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`);
      expect(await readUntil(large, /request_id":"[^"]+"}/)).toMatch(/^HTTP\/1\.1 431 /);
      large.destroy();
    });

    it('that go away in the middle of a body or of an answer are no error', async () => {
      test.logs.length = 0;
      const half = await open(test.port);
      half.write('POST /v1/bare HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{');
      half.destroy();
      const slow = await open(test.port);
      const reached = SlowRequests.next();
      slow.write('GET /v1/slow HTTP/1.1\r\nHost: x\r\n\r\n');
      await reached;
      slow.destroy();
      while (test.logs.filter((line) => line.fields.aborted === true).length < 2) await http().get('/v1/things/1');
      SlowRequests.letGo();
      await http().get('/v1/things/1').expect(200);
      expect(test.logs.filter((line) => line.level === 'error' || line.level === 'warn')).toEqual([]);
    });

    it('finish what is under way when the server closes, and are closed then', async () => {
      const own = await startHttpTestApp({ controllers: [ThingController] });
      const reached = SlowRequests.next();
      const busy = await open(own.port);
      busy.write('GET /v1/slow HTTP/1.1\r\nHost: x\r\n\r\n');
      const idle = await open(own.port);
      idle.write('GET /v1/things/1 HTTP/1.1\r\nHost: x\r\n\r\n');
      await readUntil(idle, /success/);
      await reached;
      const idleClosed = once(idle, 'close');
      const busyClosed = once(busy, 'close');
      const answer = readUntil(busy, /done/);
      const closed = own.close();
      await idleClosed;
      SlowRequests.letGo();
      expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
      await busyClosed;
      await closed;
      await expect(open(own.port)).rejects.toThrow('ECONNREFUSED');
    });
  });
});

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** What came so far, once it matches; fails when the connection ends before. */
function readUntil(socket: Socket, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onData = (chunk: Buffer) => {
      text += chunk.toString();
      if (!pattern.test(text)) return;
      socket.off('data', onData);
      resolve(text);
    };
    socket.on('data', onData);
    socket.once('close', () => reject(new Error(`the connection was closed after: ${text}`)));
  });
}
