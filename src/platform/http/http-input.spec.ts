import request from 'supertest';
import { startHttpTestApp, type HttpTestApp } from '../../../test/support/http-test-app';
import { ThingController } from '../../../test/support/thing.controller';

describe('HTTP input', () => {
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
});
