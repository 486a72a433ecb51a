import {
  Body,
  Controller,
  Get,
  HttpException,
  MethodNotAllowedException,
  Param,
  Post,
  Query,
  Req,
} from '@nestjs/common';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  MaxLength,
  ValidateNested,
} from 'class-validator';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import request from 'supertest';
import { startHttpTestApp, type HttpTestApp } from '../../../test/support/http-test-app';
import { Problem } from '../../kernel/problem';
import { Public } from '../../tenancy/auth.decorators';
import { PageQueryDto } from './cursor';
import { ok } from './envelope';
import type { HttpRequest } from './http-request';

class PersonDto {
  @IsString()
  @MaxLength(20)
  email: string;
}

class ThingDto {
  @IsString()
  @MaxLength(50)
  to: string;

  @IsOptional()
  @IsInt()
  count?: number;

  @IsOptional()
  @IsBoolean()
  dry?: boolean;

  @IsOptional()
  @IsObject()
  metadata?: Record<string, unknown>;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(3)
  @ValidateNested()
  @Type(() => PersonDto)
  recipients?: PersonDto[];

  @IsOptional()
  @ValidateNested()
  @Type(() => PersonDto)
  owner?: PersonDto;
}

class ThingQueryDto extends PageQueryDto {
  @IsOptional()
  @IsString()
  to?: string;

  @IsOptional()
  @Type(() => Boolean)
  @IsBoolean()
  all?: boolean;
}

/** Requests that `slow` holds, to be let go by the test. */
const held: Array<() => void> = [];
let arrived: (() => void) | undefined;

@Public()
@Controller()
class ThingController {
  @Post('v1/things')
  create(@Body() body: ThingDto) {
    return ok({ dto: body.constructor.name, body });
  }

  @Post('v1/messages/batch')
  batch(@Body() body: Record<string, unknown>) {
    return ok(Object.keys(body).length);
  }

  @Get('v1/things')
  list(@Query() query: ThingQueryDto) {
    return ok(query);
  }

  @Get('v1/things/:id')
  get(@Param('id') id: string) {
    return ok(id);
  }

  @Post('v1/bare')
  bare(@Body() body: unknown) {
    return ok(body ?? null);
  }

  @Post('webhook/raw')
  raw(@Req() request: HttpRequest) {
    return ok({ hex: request.rawBody!.toString('hex'), parsed: request.body !== undefined, query: request.query });
  }

  @Get('v1/fail/:how')
  fail(@Param('how') how: string) {
    if (how === 'problem') throw new Problem('conflict', 'It is so.', { headers: { 'X-Why': 'test' } });
    if (how === 'database') throw Object.assign(new Error('terminating connection: secret-host'), { code: '57P01' });
    if (how === 'method') throw new MethodNotAllowedException('echo <script>');
    if (how === 'teapot') throw new HttpException('short and stout', 418);
    throw new Error('SELECT secret FROM stack');
  }

  @Get('v1/slow')
  async slow() {
    await new Promise<void>((resolve) => {
      held.push(resolve);
      arrived?.();
    });
    return ok('done');
  }
}

describe('HTTP platform', () => {
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

  describe('bad input', () => {
    const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

    it.each<[string, string | Buffer, string, string]>([
      ['broken JSON', '{"to": "x", ', 'body', 'invalid_json'],
      ['no JSON', 'to=x', 'body', 'invalid_json'],
      ['an array', '[]', 'body', 'invalid_type'],
      ['a text', '"x"', 'body', 'invalid_type'],
      ['null', 'null', 'body', 'invalid_type'],
      ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 'body', 'invalid_utf8'],
      ['an overlong encoding', Buffer.from([0x7b, 0x22, 0xc0, 0x80, 0x22, 0x7d]), 'body', 'invalid_utf8'],
      ['a raw NUL', '{"to":"a\0b"}', 'body', 'invalid_json'],
      ['an escaped NUL', '{"to":"a\\u0000b"}', 'to', 'invalid_characters'],
      ['a lone surrogate', '{"to":"x","metadata":{"a":["\\ud800"]}}', 'metadata.a[0]', 'invalid_characters'],
      ['a lone low surrogate in a key', '{"to":"x","metadata":{"\\udc00":1}}', 'metadata.\uFFFD', 'invalid_characters'],
      ['a NUL in a key', '{"to":"x","metadata":{"a\\u0000":1}}', 'metadata.a\uFFFD', 'invalid_characters'],
      ['__proto__', '{"to":"x","metadata":{"__proto__":{"x":1}}}', 'metadata.__proto__', 'unknown_field'],
      ['an escaped __proto__', '{"to":"x","\\u005f_proto__":{"x":1}}', '__proto__', 'unknown_field'],
      ['too deep an object', `{"to":"x","metadata":${deep(32)}}`, `metadata${'.a'.repeat(31)}`, 'too_deep'],
      [
        '100,000 arrays',
        `{"to":"x","metadata":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
        `metadata${'[0]'.repeat(31)}`,
        'too_deep',
      ],
      ['a missing field', '{}', 'to', 'required'],
      ['a null field', '{"to":null}', 'to', 'required'],
      ['a number for a text', '{"to":5}', 'to', 'invalid_type'],
      ['an object for a text', '{"to":{}}', 'to', 'invalid_type'],
      ['a text for a number', '{"to":"x","count":"5"}', 'count', 'invalid_type'],
      ['a text for a boolean', '{"to":"x","dry":"true"}', 'dry', 'invalid_type'],
      ['a long text', JSON.stringify({ to: 'x'.repeat(51) }), 'to', 'too_long'],
      ['an unknown field', '{"to":"x","constructor":1}', 'constructor', 'unknown_field'],
      [
        'an unknown nested field',
        '{"to":"x","recipients":[{"email":"a"},{"email":"b","x":1}]}',
        'recipients[1].x',
        'unknown_field',
      ],
      ['a wrong nested field', '{"to":"x","recipients":[{"email":7}]}', 'recipients[0].email', 'invalid_type'],
      ['a missing nested field', '{"to":"x","recipients":[{}]}', 'recipients[0].email', 'required'],
      ['a text for a nested object', '{"to":"x","recipients":["a"]}', 'recipients[0]', 'invalid_type'],
      ['an array for a nested object', '{"to":"x","recipients":[[]]}', 'recipients[0]', 'invalid_type'],
      ['null for a nested object', '{"to":"x","recipients":[null]}', 'recipients[0]', 'invalid_type'],
      ['an object for an array', '{"to":"x","recipients":{"email":"a"}}', 'recipients', 'invalid_type'],
      [
        'too many items',
        '{"to":"x","recipients":[{"email":"a"},{"email":"a"},{"email":"a"},{"email":"a"}]}',
        'recipients',
        'too_many',
      ],
    ])('refuses %s and names the field', async (_, body, field, code) => {
      const answer = await post('/v1/things', body).expect(400);
      expect(problem(answer)).toMatchObject({ code: 'invalid_request', status: 400 });
      expect(problem(answer).errors[0]).toMatchObject({
        field: field.length > 128 ? (expect.any(String) as string) : field,
        code,
      });
      expect(problem(answer).errors).toHaveLength(1);
    });

    it('refuses an array for a nested object, and an object for a list', async () => {
      for (const owner of [[], [{ email: 'a' }], 'x', 5]) {
        const answer = await post('/v1/things', JSON.stringify({ to: 'x', owner })).expect(400);
        expect(problem(answer).errors).toMatchObject([{ field: 'owner', code: 'invalid_type' }]);
      }
      await post('/v1/things', '{"to":"x","owner":{"email":"a"},"recipients":[{"email":"b"}]}').expect(201);
    });

    it('says where JSON is broken, and echoes nothing of it', async () => {
      const answer = await post('/v1/things', '{"secret":"hunter2",}').expect(400);
      expect(answer.text).not.toMatch(/secret|hunter2/);
      expect(problem(answer).detail).toContain('at character 20');
    });

    it('takes 32 levels, astral characters, escapes and a null for an optional field', async () => {
      const body = `{"to":"\\ud83d\\ude00 \\u00e5","count":null,"metadata":${deep(31)}}`;
      const answer = await post('/v1/things', body).expect(201);
      expect(answer.body).toEqual({
        success: true,
        data: { dto: 'ThingDto', body: { to: '😀 å', metadata: JSON.parse(deep(31)) as unknown } },
      });
    });

    it('is never polluted by names of the prototype', async () => {
      const answer = await post(
        '/v1/things',
        '{"to":"x","metadata":{"constructor":{"prototype":{"p":1}},"toString":"y"}}',
      ).expect(201);
      expect((answer.body as { data: { body: unknown } }).data.body).toMatchObject({ metadata: { toString: 'y' } });
      expect(({} as Record<string, unknown>).p).toBeUndefined();
      for (const name of ['toString', 'hasOwnProperty', 'valueOf']) {
        const refused = await post('/v1/things', JSON.stringify({ to: 'x', [name]: 1 })).expect(400);
        expect(problem(refused).errors).toMatchObject([{ field: name, code: 'unknown_field' }]);
      }
    });

    it.each([
      ['text/plain', {}],
      ['application/x-www-form-urlencoded', {}],
      ['multipart/form-data; boundary=x', {}],
      ['application/json; charset=latin1', {}],
      ['application/jsonp', {}],
      ['application/json', { 'Content-Encoding': 'gzip' }],
    ])('answers 415 to %s %j', async (type, headers) => {
      const answer = await post('/v1/things', '{"to":"x"}', type).set(headers).expect(415);
      expect(problem(answer)).toMatchObject({ code: 'invalid_request', errors: [{ code: 'unsupported_media_type' }] });
    });

    it('takes the usual spellings of application/json', async () => {
      for (const type of [
        'application/json; charset=utf-8',
        'Application/JSON;charset="UTF-8"',
        'application/json ; x=y',
      ]) {
        await post('/v1/things', '{"to":"x"}', type).expect(201);
      }
      await post('/v1/things', '{"to":"x"}').set('Content-Encoding', 'identity').expect(201);
    });

    it('needs a body where a DTO is, and none elsewhere', async () => {
      const answer = await http().post('/v1/things').expect(400);
      expect(problem(answer).errors).toMatchObject([{ field: 'body', code: 'required' }]);
      await post('/v1/things', '').expect(400);
      await http().post('/v1/bare').expect(201, { success: true, data: null });
    });

    it.each([
      ['/v1/things?to=%zz', 'to', 'invalid_encoding'],
      ['/v1/things?to=%ff', 'to', 'invalid_encoding'],
      ['/v1/things?to=%ed%a0%80', 'to', 'invalid_encoding'],
      ['/v1/things?to=a%00', 'to', 'invalid_characters'],
      ['/v1/things?%00=a', 'query', 'invalid_characters'],
      ['/v1/things?to=1&to=2', 'to', 'repeated'],
      ['/v1/things?to[]=1', 'to[]', 'unknown_field'],
      ['/v1/things?to[a]=1', 'to[a]', 'unknown_field'],
      ['/v1/things?x=1', 'x', 'unknown_field'],
      ['/v1/things?__proto__=1', '__proto__', 'unknown_field'],
      ['/v1/things?limit=1e3', 'limit', 'invalid_type'],
      ['/v1/things?limit=500', 'limit', 'too_large'],
      ['/v1/things?limit=-1', 'limit', 'too_small'],
      ['/v1/things?all=yes', 'all', 'invalid_type'],
      ['/v1/things/%zz', 'path', 'invalid_encoding'],
      ['/v1/things/%ff', 'path', 'invalid_encoding'],
      ['/v1/things/a%00b', 'path', 'invalid_characters'],
    ])('refuses %s', async (path, field, code) => {
      const answer = await http().get(path).expect(400);
      expect(problem(answer).errors).toMatchObject([{ field, code }]);
    });

    it('reads a query as its DTO', async () => {
      const answer = await http().get('/v1/things?to=%2B46+1&all=true&limit=7').expect(200);
      expect(answer.body).toEqual({ success: true, data: { limit: 7, to: '+46 1', all: true } });
      const bare = await http().get('/v1/things?').expect(200);
      expect(bare.body).toEqual({ success: true, data: { limit: 50 } });
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
      const reached = new Promise<void>((resolve) => (arrived = resolve));
      slow.write('GET /v1/slow HTTP/1.1\r\nHost: x\r\n\r\n');
      await reached;
      slow.destroy();
      while (test.logs.filter((line) => line.fields.aborted === true).length < 2) await http().get('/v1/things/1');
      for (const letGo of held.splice(0)) letGo();
      await http().get('/v1/things/1').expect(200);
      expect(test.logs.filter((line) => line.level === 'error' || line.level === 'warn')).toEqual([]);
    });

    it('finish what is under way when the server closes, and are closed then', async () => {
      const own = await startHttpTestApp({ controllers: [ThingController] });
      const reached = new Promise<void>((resolve) => (arrived = resolve));
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
      for (const letGo of held.splice(0)) letGo();
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
