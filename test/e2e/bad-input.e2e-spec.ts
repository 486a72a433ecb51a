import { connect } from 'node:net';
import type { ApiAnswer, ApiClient, Wire } from '../support/api-client';
import type { Operation } from '../support/api-contract';
import { Service, type Tenant } from '../support/e2e-service';
import { bodyFor, makeObjects, pathWith, type PathIds } from '../support/route-samples';

const NESTED = 200;
const deepArray = '['.repeat(NESTED) + ']'.repeat(NESTED);
const MIB = 1024 * 1024;

/** Values that few fields take, with whether any may. */
const WRONG_VALUES: ReadonlyArray<[string, unknown]> = [
  ['null', null],
  ['a number', 7.5],
  ['a boolean', true],
  ['a text', 'no such thing'],
  ['an empty text', ''],
  ['a list', [1, null, {}]],
  ['an object', { no_such_field: [] }],
  ['a long text', 'y'.repeat(100_000)],
  ['NUL', 'a\0b'],
  ['NUL in a list', ['a\0b']],
  ['NUL in a name', { 'a\0b': 'x' }],
  ['a lone surrogate', 'a\ud800b'],
  ['a lone surrogate in an object', { x: '\udfff' }],
  ['a great number', 1e300],
  ['a negative number', -1],
  ['nested lists', JSON.parse(deepArray)],
];
const NEVER_STORABLE = /NUL|surrogate|nested/;

/** Whole bodies that no operation takes. */
const WRONG_BODIES: ReadonlyArray<[string, string | Buffer, Record<string, string>?]> = [
  ['no JSON', 'hello'],
  ['half of JSON', '{"a":'],
  ['more than JSON', '{}{}'],
  ['a list', '[]'],
  ['a text', '"x"'],
  ['null', 'null'],
  ['a number', '1'],
  ['invalid UTF-8', Buffer.from('7b2261223a22ff fe227d'.replace(' ', ''), 'hex')],
  ['invalid UTF-8 of a surrogate', Buffer.from('7b2261223a22eda080227d', 'hex')],
  ['a NUL byte', '{"a":"\0"}'],
  ['NUL bytes', Buffer.alloc(100)],
  ['deep lists', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ['deep objects', '{"a":'.repeat(50_000) + '1' + '}'.repeat(50_000)],
  ['an inherited name', '{"__proto__":{"polluted":true}}'],
  ['a name of objects', '{"constructor":{"prototype":{"polluted":true}}}'],
  ['an unknown field', '{"no_such_field":1}'],
  ['a byte order mark', '\ufeff{"no_such_field":1}'],
  ['another content type', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['text', '{"no_such_field":1}', { 'content-type': 'text/plain' }],
  ['XML', '<a/>', { 'content-type': 'application/xml' }],
  ['no content type that there is', '{"no_such_field":1}', { 'content-type': 'x' }],
  ['another charset', '{"no_such_field":1}', { 'content-type': 'application/json; charset=utf-16' }],
  ['an encoding that it does not have', '{"no_such_field":1}', { 'content-encoding': 'gzip' }],
  ['an unknown encoding', '{"no_such_field":1}', { 'content-encoding': 'zz' }],
];

const WRONG_QUERY = [
  '',
  'z'.repeat(3000),
  '%00',
  '%ff%fe',
  '%ED%A0%80',
  '-1',
  '1e9',
  "';--",
  '%F0%9F%99%82',
  '[]',
  '1&x=1',
];
const WRONG_IDS = [
  'x',
  '%00',
  '%ff',
  '%ED%A0%80',
  'z'.repeat(3000),
  "';--",
  '%F0%9F%99%82',
  '%2e%2e%2fadmin',
  'msg_',
  '%',
  '1',
  '0'.repeat(30),
  'msg_zzzzzzzzzzzzzzzzzzzzzzzzzz',
  'cfg_zzzzzzzzzzzzzzzzzzzzzzzzzz',
  'whe_zzzzzzzzzzzzzzzzzzzzzzzzzz',
  'whd_zzzzzzzzzzzzzzzzzzzzzzzzzz',
  'key_zzzzzzzzzzzzzzzzzzzzzzzzzz',
  'pev_zzzzzzzzzzzzzzzzzzzzzzzzzz',
  '__proto__',
  'constructor',
];

const TABLES = [
  'tenants',
  'api_keys',
  'provider_configs',
  'gateway_routes',
  'messages',
  'message_queue',
  'idempotency_keys',
  'webhook_endpoints',
  'events',
  'provider_events',
  'numbers',
  'number_receivers',
  'inbound_messages',
  'inbound_deliveries',
  'secrets',
];

describe('bad input', () => {
  let service: Service;
  let tenant: Tenant;
  let ids: PathIds;
  let operations: Operation[];
  let faults: string[];

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
    ids = await makeObjects(service, tenant);
    // An alias is served by the same code as the name.
    operations = service.contract.operations.filter(({ path }) => !path.startsWith('/communication/nexmo/'));
    expect(operations.length).toBeGreaterThan(50);
  }, 240_000);
  beforeEach(() => void (faults = []));
  afterEach(() => {
    const errors = service.errorLines();
    expect(errors).toEqual([]);
  });
  afterAll(() => service?.stop());

  const clientFor = ({ definition }: Operation): ApiClient =>
    definition.security?.some((one) => 'admin_key' in one)
      ? service.admin
      : definition.security
        ? tenant.api
        : service.anonymous;
  const isCallback = ({ path }: Operation) => path.startsWith('/webhook/');

  async function rows(): Promise<Record<string, number>> {
    const counts = await Promise.all(
      TABLES.map((table) => service.database.database.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)),
    );
    return Object.fromEntries(TABLES.map((table, index) => [table, counts[index]![0]!.n]));
  }

  /** Asks, and notes what is not a proper refusal. */
  async function attempt(
    operation: Operation,
    what: string,
    request: () => Promise<ApiAnswer>,
    expected: { field?: RegExp; refused?: boolean; statuses?: number[] } = {},
  ): Promise<number> {
    const name = `${operation.operationId}, ${what}`;
    let answer: ApiAnswer;
    try {
      answer = await request();
    } catch (error) {
      faults.push(`${name}: ${String(error).slice(0, 500)}`);
      return 0;
    }
    const { status, body } = answer;
    if (status >= 500) faults.push(`${name}: ${status} ${answer.text.slice(0, 200)}`);
    else if (status >= 400) {
      if (!String(answer.headers['content-type']).startsWith('application/problem+json') || body?.success !== false)
        faults.push(`${name}: ${status} without a problem`);
      else if (status === 400 && body.errors.length === 0) faults.push(`${name}: names no field: ${body.detail}`);
      else if (expected.field && status === 400 && !body.errors.some((one: Wire) => expected.field!.test(one.field)))
        faults.push(`${name}: names ${body.errors.map((one: Wire) => one.field).join()}, not ${expected.field}`);
      if (expected.statuses && !expected.statuses.includes(status))
        faults.push(`${name}: ${status} ${answer.text.slice(0, 200)}`);
    } else if (expected.refused) faults.push(`${name}: ${status} is no refusal`);
    return status;
  }

  it('refuses whole bodies that are none on every route, and writes nothing', async () => {
    const before = await rows();
    for (const operation of operations.filter((one) => one.method !== 'GET' && !isCallback(one))) {
      const api = clientFor(operation);
      // Routes without a body would do their work on a real object.
      const path = operation.definition.requestBody
        ? pathWith(operation.path, ids)
        : pathWith(operation.path, unknownIds(ids));
      for (const [what, raw, headers] of WRONG_BODIES)
        await attempt(operation, what, () => api.call(operation.method, path, { raw, headers }), { refused: true });
    }
    expect(faults).toEqual([]);
    expect(await rows()).toEqual(before);
    expect(({} as Wire).polluted).toBeUndefined();
  }, 240_000);

  it('answers 413 to a body that is too large, on every route', async () => {
    const before = await rows();
    for (const operation of operations.filter((one) => one.method !== 'GET')) {
      const api = clientFor(operation);
      const path = isCallback(operation)
        ? operation.path.replace('{provider}', 'twilio').replace('{kind}', 'status').replace('{config_id}', ids.twilio)
        : pathWith(operation.path, ids);
      const large = /^\/v1\/(messages\/batch|email\/send|notifications)$|\/emails$/.test(operation.path);
      const raw = `{"message":"${'x'.repeat((large ? 10 : 1) * MIB)}"}`;
      await attempt(operation, 'huge', () => api.call(operation.method, path, { raw }), {
        refused: true,
        statuses: isCallback(operation)
          ? [401, 413]
          : takesJson(operation) || !operation.definition.requestBody
            ? [413]
            : [415],
      });
    }
    expect(faults).toEqual([]);
    expect(await rows()).toEqual(before);
  }, 240_000);

  it('refuses wrong values in every field of every body, and names the field', async () => {
    for (const operation of operations.filter((one) => takesJson(one) && !isCallback(one))) {
      const api = clientFor(operation);
      const path = pathWith(operation.path, ids);
      const good = bodyFor(operation)!;
      const fields = fieldsOf(service, operation);
      expect([operation.operationId, fields.length > 0]).toEqual([operation.operationId, true]);
      const before = await rows();
      let taken = 0;
      for (const field of fields) {
        for (const [what, value] of WRONG_VALUES) {
          const body = structuredClone(good);
          const leaf = field.split('.').at(-1)!;
          const holder = field.includes('.') ? (body[field.split('.')[0]!] as Record<string, unknown>) : body;
          if (holder === undefined) continue;
          // A secret is given in clear or by reference, not both.
          delete holder[leaf.endsWith('_ref') ? leaf.slice(0, -4) : `${leaf}_ref`];
          holder[leaf] = value;
          const status = await attempt(
            operation,
            `${field}: ${what}`,
            () => api.call(operation.method, path, { body }),
            {
              field: new RegExp(`^${field.replace('.', '\\.')}`),
              refused: NEVER_STORABLE.test(what),
            },
          );
          if (status < 300) taken++;
        }
      }
      if (taken === 0) expect([operation.operationId, await rows()]).toEqual([operation.operationId, before]);
    }
    expect(faults).toEqual([]);
    // What was taken can be read: nothing half was written.
    for (const path of [
      '/v1/messages',
      '/v1/webhooks',
      '/v1/gateways',
      '/v1/api-keys',
      '/communication/twilio/configs',
      '/communication/vonage/configs',
    ])
      expect((await tenant.api.get(path)).status).toBe(200);
    expect((await service.admin.get('/admin/tenants?limit=200')).status).toBe(200);
  }, 240_000);

  it('refuses wrong values of every query parameter, unknown ones and repeated ones', async () => {
    for (const operation of operations.filter((one) => one.method === 'GET' && !isCallback(one))) {
      const api = clientFor(operation);
      const path = pathWith(operation.path, ids);
      const parameters = (operation.definition.parameters ?? []).filter((one) => one.in === 'query');
      for (const { name } of parameters) {
        for (const value of WRONG_QUERY)
          await attempt(operation, `${name}=${value.slice(0, 20)}`, () => api.get(`${path}?${name}=${value}`), {
            refused: /%00|%ff|%ED|x=1/.test(value),
          });
        await attempt(operation, `${name} twice`, () => api.get(`${path}?${name}=1&${name}=2`), { refused: true });
        await attempt(operation, `${name}[]`, () => api.get(`${path}?${name}[a]=1`), { refused: true });
      }
      await attempt(operation, 'unknown parameter', () => api.get(`${path}?no_such_parameter=1`), {
        refused: parameters.length > 0,
      });
      await attempt(operation, 'broken escape', () => api.get(`${path}?limit=%`), { refused: parameters.length > 0 });
    }
    expect(faults).toEqual([]);
  }, 240_000);

  it('answers 4xx to ids that are none, on every route', async () => {
    const before = await rows();
    for (const operation of operations.filter(({ path }) => path.includes('{'))) {
      const api = clientFor(operation);
      const parameters = [...operation.path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]!);
      for (const parameter of parameters) {
        for (const id of WRONG_IDS) {
          // Every template has a first version.
          if (parameter === 'version' && id === '1') continue;
          const path = isCallback(operation)
            ? operation.path
                .replace(`{${parameter}}`, id)
                .replace('{provider}', 'twilio')
                .replace('{kind}', 'status')
                .replace('{config_id}', ids.twilio)
            : pathWith(operation.path.replace(`{${parameter}}`, id), ids);
          await attempt(
            operation,
            `${parameter} ${id.slice(0, 20)}`,
            () => api.call(operation.method, path, { body: isCallback(operation) ? undefined : bodyFor(operation) }),
            { refused: true },
          );
        }
      }
    }
    expect(faults).toEqual([]);
    expect(await rows()).toEqual(before);
  }, 240_000);

  it('keeps its own request id where one is not well-formed, and refuses odd headers', async () => {
    const good = await tenant.api.get('/v1/me', { 'x-request-id': 'order-8121.retry_2' });
    expect(good.headers['x-request-id']).toBe('order-8121.retry_2');
    for (const id of ['', 'a b', 'x'.repeat(300), '<script>', '"', 'ü']) {
      const answer = await tenant.api.get('/v1/me', { 'x-request-id': id });
      expect([id, answer.headers['x-request-id'] === id, answer.status]).toEqual([id, false, 200]);
    }
    for (const headers of [{ 'idempotency-key': 'ü' }, { 'idempotency-key': 'a\tb' }, { prefer: 'wait=abc' }] as Array<
      Record<string, string>
    >) {
      const refused = await tenant.api.post('/v1/sms/send', { to: '+393331234567', message: 'x' }, headers);
      expect([headers, refused.status, refused.body.errors.length]).toEqual([headers, 400, 1]);
    }
  });

  it('answers unknown routes and methods with a problem', async () => {
    for (const [method, path] of [
      ['GET', '/v1/nothing'],
      ['GET', '/'],
      ['DELETE', '/v1/me'],
      ['PUT', '/v1/sms/send'],
      ['POST', '/v1/messages'],
      ['GET', '/v1//messages'],
      ['GET', '/%00'],
      ['GET', '/v1/me/../../admin'],
      ['PATCH', '/health/live'],
    ] as const) {
      const answer = await tenant.api.call(method, path, {});
      expect([method, path, [404, 405, 400].includes(answer.status), answer.body?.success]).toEqual([
        method,
        path,
        true,
        false,
      ]);
    }
  });

  it('survives requests that are not HTTP', async () => {
    const { port, hostname } = new URL(service.url);
    const say = (bytes: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => socket.write(bytes));
        let text = '';
        socket.on('data', (data) => (text += data.toString('latin1')));
        socket.on('close', () => resolve(text));
        socket.on('error', reject);
      });
    expect(await say('NONSENSE\r\n\r\n')).toContain('400');
    expect(await say(`GET /v1/me HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`)).toMatch(/431|400/);
    expect(await say('POST /v1/sms/send HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n')).toContain('400');
    expect((await tenant.api.get('/v1/me')).status).toBe(200);
  });
});

/** Names of the fields of a body, and `holder.field` one level down. */
function takesJson({ definition }: Operation): boolean {
  return definition.requestBody?.content['application/json'] !== undefined;
}

function fieldsOf(service: Service, operation: Operation): string[] {
  const content = operation.definition.requestBody!.content['application/json']!;
  const resolve = (schema: Wire): Wire => {
    if (schema.$ref) {
      const name = String(schema.$ref).split('/').at(-1)!;
      return resolve((service.contract.document.components as Wire).schemas[name]);
    }
    return schema.allOf ? resolve(schema.allOf[0]) : schema;
  };
  const fields: string[] = [];
  for (const [name, schema] of Object.entries<Wire>(resolve(content.schema).properties ?? {})) {
    fields.push(name);
    for (const inner of Object.keys(resolve(schema).properties ?? {})) fields.push(`${name}.${inner}`);
  }
  return fields;
}

function unknownIds(ids: PathIds): PathIds {
  return Object.fromEntries(
    Object.entries(ids).map(([name, id]) => [name, `${id.slice(0, id.indexOf('_'))}_01kaqz9yq8e5v6m3c2n1b0a9s8`]),
  ) as unknown as PathIds;
}
