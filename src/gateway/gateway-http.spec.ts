import { Global, Module } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import request from 'supertest';
import { fakeAccount, fakeProvider } from '../../test/factories/fake-provider';
import { startHttpTestApp, TEST_ADMIN_KEY, type HttpTestApp } from '../../test/support/http-test-app';
import { PublicUrl } from '../config/public-url';
import { AlertBookModule } from '../platform/alerts/alert-book.module';
import { EventsModule } from '../platform/events/events.module';
import { ConfigLifeCycle } from './configs/config-life-cycle';
import { GatewayFactory, gatewayToken } from './gateway-factory';
import { GatewayModule } from './gateway.module';
import { CircuitBreakers } from './limits/circuit-breakers';
import { NO_USAGE, type UsageFigures } from './usage/usage-figures';
import { UsageOutlet } from './usage/usage-outlet';
import { UsageFiguresView } from './usage/usage.view';

const account = fakeAccount();
const acme = fakeProvider({}, account);
const bell = fakeProvider({ key: 'bell_sms', slug: 'bell', aliases: [], title: 'Bell' });

@Global()
@Module({
  providers: [{ provide: PublicUrl, useValue: new PublicUrl('https://unimsg.example') }],
  exports: [PublicUrl],
})
class PublicUrlModule {}

interface View {
  id: string;
  status: string;
  credentials: Record<string, string>;
  [field: string]: unknown;
}

describe('gateway routes over HTTP', () => {
  let test: HttpTestApp;
  let key: string;
  let clientId: string;
  let strangerKey: string;
  const lately = new Map<string, UsageFigures>();

  const http = () => request(test.url);
  const as = (call: request.Test, with_ = key) => call.set('Authorization', `Bearer ${with_}`);
  const tenant = async (name: string) => {
    const answer = await http()
      .post('/admin/tenants')
      .set('Authorization', `Bearer ${TEST_ADMIN_KEY}`)
      .send({ name })
      .expect(201);
    return (answer.body as { data: { api_key: string; client_id: string } }).data;
  };
  const account1 = { account_id: 'AC1secret', api_key: 'very-secret-key' };
  const make = async (slug = 'acme', more: object = {}): Promise<View> => {
    const answer = await as(http().post(`/communication/${slug}/configs/`))
      .send({ credentials: account1, from_number: '+15005550006', ...more })
      .expect(201);
    return (answer.body as { data: View }).data;
  };
  const data = (answer: request.Response) => (answer.body as { data: View }).data;

  beforeAll(async () => {
    test = await startHttpTestApp({
      imports: [PublicUrlModule, EventsModule, AlertBookModule, GatewayModule.forProviders([acme, bell])],
    });
    test.app.get(UsageOutlet).connect({
      lately: async () => lately,
      panel: async (owner, configId, { from, to }) =>
        ({ asked: [owner, configId], from: new Date(from).toISOString(), to: new Date(to).toISOString() }) as never,
    });
    ({ api_key: key, client_id: clientId } = await tenant('Acme'));
    ({ api_key: strangerKey } = await tenant('Stranger'));
  });

  afterAll(() => test.close());

  it('makes, reads, lists, changes and decommissions a config, with and without the last slash', async () => {
    const made = await make('acme', { display_name: 'Mine', max_per_second: 5 });
    expect(made).toEqual({
      id: expect.stringMatching(/^cfg_/),
      provider: 'acme',
      channel: 'sms',
      display_name: 'Mine',
      status: 'draft',
      credentials: {
        account_id_ref: expect.stringMatching(/^db:sec_/),
        api_key_ref: expect.stringMatching(/^db:sec_/),
      },
      max_per_second: 5,
      quotas: null,
      version: 1,
      usage: UsageFiguresView.of(NO_USAGE),
      // No signing key: both kinds need the token, which is not shown.
      callback_urls: {},
      created_at: expect.any(String),
      updated_at: expect.any(String),
      activated_at: null,
      from_number: '+15005550006',
      quality: 'high',
    });
    expect(data(await as(http().get(`/communication/acme/configs/${made.id}`)).expect(200))).toEqual(made);
    expect(data(await as(http().get(`/communication/acme-old/configs/${made.id}/`)).expect(200))).toEqual(made);
    const listed = await as(http().get('/communication/acme/configs?limit=200')).expect(200);
    expect(listed.body).toMatchObject({ success: true, meta: { next_cursor: null, limit: 200 } });
    expect((listed.body as { data: View[] }).data).toContainEqual(made);
    const changed = await as(http().patch(`/communication/acme/configs/${made.id}`))
      .send({ quality: 'low', credentials: { signing_key: 'sign' } })
      .expect(200);
    expect(data(changed)).toMatchObject({
      quality: 'low',
      version: 2,
      callback_urls: { status: `https://unimsg.example/webhook/acme/status/${made.id}` },
    });
    for (const [step, status, expected] of [
      ['pause', 409, undefined],
      ['activate', 200, 'active'],
      ['activate', 409, undefined],
      ['pause', 200, 'paused'],
      ['resume', 200, 'active'],
      ['decommission', 200, 'decommissioned'],
      ['decommission', 409, undefined],
    ] as const) {
      const answer = await as(http().post(`/communication/acme/configs/${made.id}/${step}`)).expect(status);
      if (expected) expect(data(answer).status).toBe(expected);
      else expect(answer.body).toMatchObject({ success: false, code: 'conflict' });
    }
    await as(http().delete(`/communication/acme/configs/${made.id}`)).expect(200);
  });

  it('pages through the list', async () => {
    for (let i = 0; i < 3; i++) await make('bell');
    const first = await as(http().get('/communication/bell/configs/?limit=2')).expect(200);
    const { meta, data: items } = first.body as { meta: { next_cursor: string }; data: View[] };
    expect(items).toHaveLength(2);
    const second = await as(
      http().get(`/communication/bell/configs/?limit=2&cursor=${encodeURIComponent(meta.next_cursor)}`),
    ).expect(200);
    expect(second.body).toMatchObject({ meta: { next_cursor: null } });
    expect((second.body as { data: View[] }).data.map((one) => one.id)).toHaveLength(1);
    // A cursor of one provider's list is no cursor of another's.
    await as(http().get(`/communication/acme/configs/?cursor=${encodeURIComponent(meta.next_cursor)}`)).expect(400);
  });

  it('refuses wrong bodies, naming each field, and never shows a secret', async () => {
    const answer = await as(http().post('/communication/acme/configs/'))
      .send({ credentials: { ...account1, extra: 'very-secret-extra' }, from_number: 7, nonsense: {} })
      .expect(400);
    const { errors } = answer.body as { errors: Array<{ field: string; code: string }> };
    expect(errors.map(({ field, code }) => `${field} ${code}`).sort()).toEqual([
      'credentials.extra unknown_field',
      'from_number invalid_type',
      'nonsense unknown_field',
    ]);
    for (const body of ['[]', '"text"', '{"credentials":null}', '{"credentials":[1]}', '{"display_name":"\\u0000"}'])
      await as(http().post('/communication/acme/configs/'))
        .set('Content-Type', 'application/json')
        .send(body)
        .expect(400);
    await as(http().post('/communication/acme/configs/')).expect(400);
    await as(http().get('/communication/nobody/configs/')).expect(404);
    const everything = JSON.stringify([answer.body, test.logs]);
    for (const secret of ['very-secret', 'AC1secret']) expect(everything).not.toContain(secret);
  });

  it('keeps tenants, keys and scopes apart', async () => {
    const made = await make();
    for (const call of [
      http().get(`/communication/acme/configs/${made.id}`),
      http().patch(`/communication/acme/configs/${made.id}`).send({ display_name: 'x' }),
      http().delete(`/communication/acme/configs/${made.id}`),
      http().post(`/communication/acme/configs/${made.id}/activate`),
      http().post(`/communication/acme/configs/${made.id}/test`),
      http().get(`/communication/acme/configs/${made.id}/usage`),
    ])
      await as(call, strangerKey).expect(404);
    await http().get(`/communication/acme/configs/${made.id}`).expect(401);
    const reader = await as(
      http()
        .post('/v1/api-keys')
        .send({ name: 'reader', scopes: ['configs:read'] }),
    ).expect(201);
    const readerKey = (reader.body as { data: { api_key: string } }).data.api_key;
    await as(http().get(`/communication/acme/configs/${made.id}`), readerKey).expect(200);
    await as(http().post(`/communication/acme/configs/${made.id}/activate`), readerKey).expect(403);
    await as(http().put('/v1/gateways').send({ gateways: {} }), readerKey).expect(403);
  });

  it('tests an account, and takes one in error that works back into service', async () => {
    const made = await make('acme', { status: 'active' });
    const path = `/communication/acme/configs/${made.id}/test`;
    expect(data(await as(http().post(path)).expect(200))).toEqual({
      healthy: true,
      latency_ms: expect.any(Number),
      checked_at: expect.any(String),
      status: 'active',
    });
    expect(account.checks.at(-1)!.credentials.api_key!.reveal()).toBe('very-secret-key');
    await test.app.get(ConfigLifeCycle).markError(made.id, 1, {
      code: 'bad_credentials',
      message: 'Authenticate',
      providerCode: '20003',
    });
    const failed = data(await as(http().get(`/communication/acme/configs/${made.id}`)).expect(200));
    expect(failed).toMatchObject({
      status: 'error',
      last_error: { code: 'bad_credentials', message: 'Authenticate', provider_code: '20003' },
    });
    account.health = { healthy: false, error: 'refused', errorClass: 'config' };
    expect(data(await as(http().post(path)).expect(200))).toMatchObject({
      healthy: false,
      error: 'refused',
      error_class: 'config',
      status: 'error',
    });
    account.health = { healthy: true };
    expect(data(await as(http().post(path)).expect(200))).toMatchObject({ healthy: true, status: 'active' });
  });

  it('asks who counts for the usage of a config, of its owner, in a period', async () => {
    const made = await make('acme', { status: 'active' });
    lately.set(made.id, { ...NO_USAGE, sends: 4, delivered: 2, failed: 1, segments: 8 });
    const shown = data(await as(http().get(`/communication/acme/configs/${made.id}`)).expect(200));
    expect(shown.usage).toMatchObject({
      sends: 4,
      delivered: 2,
      failed: 1,
      delivery_rate: 0.5,
      error_rate: 0.25,
      segments: 8,
    });
    const path = `/communication/acme/configs/${made.id}/usage`;
    const usage = await as(http().get(`${path}?from=2026-03-01&to=2026-03-29&time_zone=Europe/Rome`)).expect(200);
    expect(data(usage)).toEqual({
      asked: [clientId, made.id],
      from: '2026-02-28T23:00:00.000Z',
      // A date is included; the clocks change on that day.
      to: '2026-03-29T22:00:00.000Z',
    });
    test.clock.set(Date.parse('2026-06-15T10:07:00Z'));
    expect(data(await as(http().get(path)).expect(200))).toMatchObject({
      from: '2026-05-16T00:00:00.000Z',
      to: '2026-06-15T10:07:00.000Z',
    });
    for (const [query, field] of [
      ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'from'],
      ['from=yesterday', 'from'],
      ['from=2026-02-30', 'from'],
      ['to=2026-02-01T10:00:00', 'to'],
      ['from=1999-01-01', 'from'],
      ['time_zone=Europe/Atlantis', 'time_zone'],
      ['from=2001-01-01', 'from'],
      ['since=2026-01-01', 'since'],
    ]) {
      const refused = await as(http().get(`${path}?${query}`)).expect(400);
      expect((refused.body as { errors: Array<{ field: string }> }).errors[0]!.field).toBe(field);
    }
    await as(http().get(path), strangerKey).expect(404);
  });

  describe('/v1/gateways', () => {
    let own: { api_key: string; client_id: string };
    let config: View;
    const put = (gateways: object, more: object = {}) =>
      as(
        http()
          .put('/v1/gateways')
          .send({ gateways, ...more }),
        own.api_key,
      );

    beforeAll(async () => {
      own = await tenant('Router');
      const answer = await as(http().post('/communication/acme/configs/'), own.api_key)
        .send({
          credentials: account1,
          from_number: '+15005550006',
          status: 'active',
          supported_countries: ['SE', 'IT'],
        })
        .expect(201);
      config = data(answer);
    });

    it('is empty at first', async () => {
      const answer = await as(http().get('/v1/gateways'), own.api_key).expect(200);
      expect(answer.body).toEqual({ success: true, data: { client_id: own.client_id, gateways: {} } });
    });

    it.each([
      [{ sms: { primary: 'nobody' } }, ['gateways.sms.primary unknown_provider']],
      [{ sms: { primary: 'bell_sms' } }, ['gateways.sms.primary no_active_config']],
      [{ sms: { primary: 'cfg_nobody' } }, ['gateways.sms.primary unknown_config']],
      [{ sms: { fallback: ['acme'] } }, ['gateways.sms.primary required']],
      [{ sms: { primary: 'acme', fallback: ['acme', 'acme'] } }, ['gateways.sms.fallback[1] duplicate']],
      [{ sms: { primary: 'acme', fallback: 'acme' } }, ['gateways.sms.fallback invalid_type']],
      [{ sms: { primary: 'acme', routing: { '39': 'acme' } } }, ['gateways.sms.routing.39 invalid_key']],
      [{ sms: { primary: 'acme', routing: { '+39': 'bell' } } }, ['gateways.sms.routing.+39 no_active_config']],
      [{ sms: { primary: 'acme', on_ambiguous: 'retry' } }, ['gateways.sms.on_ambiguous invalid_value']],
      [{ sms: { primary: 'acme', reconcile_seconds: -1 } }, ['gateways.sms.reconcile_seconds too_small']],
      [{ sms: { primary: 'acme', bot_token: 'x' } }, ['gateways.sms.bot_token unknown_field']],
      [{ push: { primary: 'fcm' } }, ['gateways.push.primary unknown_provider']],
      [{ fax: { primary: 'acme' } }, ['gateways.fax unknown_field']],
    ])('refuses %j', async (gateways, expected) => {
      const answer = await put(gateways).expect(400);
      const { errors } = answer.body as { errors: Array<{ field: string; code: string }> };
      expect(errors.map(({ field, code }) => `${field} ${code}`)).toEqual(expected);
    });

    it('refuses the document of another tenant, and no document', async () => {
      await put({}, { client_id: clientId }).expect(400);
      await as(http().put('/v1/gateways'), own.api_key).expect(400);
    });

    it('keeps the document as it was given, and routes by it at once', async () => {
      const gateways = {
        sms: {
          primary: 'acme-old',
          fallback: [config.id],
          routing: { '+39': 'acme', '*': 'acme-old' },
          on_ambiguous: 'hold',
        },
      };
      await put(gateways, { client_id: own.client_id }).expect(200);
      const answer = await as(http().get('/v1/gateways'), own.api_key).expect(200);
      expect(answer.body).toEqual({ success: true, data: { client_id: own.client_id, gateways } });
      const preview = await as(http().post('/v1/gateways/preview'), own.api_key)
        .send({ channel: 'sms', to: '+393331234567' })
        .expect(200);
      expect(preview.body).toEqual({
        success: true,
        data: { candidates: [{ gateway: 'acme', config_id: config.id, reason: 'routing[+39]' }], skipped: [] },
      });
      const elsewhere = await as(http().post('/v1/gateways/preview'), own.api_key)
        .send({ channel: 'sms', to: '+12025550123', provider: 'acme' })
        .expect(200);
      expect((elsewhere.body as { data: object }).data).toEqual({
        candidates: [],
        skipped: [{ gateway: 'acme', config_id: config.id, reason: 'country_not_supported', temporary: false }],
      });
      await as(http().post('/v1/gateways/preview'), own.api_key).send({ channel: 'sms', to: '0701' }).expect(400);
      await as(http().post(`/communication/acme/configs/${config.id}/pause`), own.api_key).expect(200);
      const paused = await as(http().post('/v1/gateways/preview'), own.api_key)
        .send({ channel: 'sms', to: '+393331234567' })
        .expect(200);
      expect((paused.body as { data: object }).data).toEqual({
        candidates: [],
        skipped: [{ gateway: 'acme', config_id: config.id, reason: 'config_paused', temporary: false }],
      });
      await as(http().post(`/communication/acme/configs/${config.id}/resume`), own.api_key).expect(200);
    });

    it('tells the health of each config, asking the provider once in a while', async () => {
      const before = account.checks.length;
      const circuits = test.app.get(CircuitBreakers);
      for (let i = 0; i < 5; i++) circuits.failed(config.id);
      const [first] = await Promise.all([
        as(http().get('/v1/gateways/health'), own.api_key).expect(200),
        as(http().get('/v1/gateways/health'), own.api_key).expect(200),
      ]);
      expect(first!.body).toEqual({
        success: true,
        data: [
          {
            gateway: 'acme',
            config_id: config.id,
            healthy: true,
            circuit: 'open',
            checked_at: expect.any(String),
            latency_ms: expect.any(Number),
          },
        ],
        meta: { next_cursor: null, limit: 200 },
      });
      expect(account.checks.length).toBe(before + 1);
    });
  });

  it('gives each gateway one instance, by its token and by the factory', () => {
    const gateway = test.app.get<object>(gatewayToken('sms', 'acme'));
    expect(test.app.get(GatewayFactory).create('sms', 'acme-old')).toBe(gateway);
    expect(account.made).toHaveLength(1);
    expect(account.made[0]!.baseUrl).toBe('https://api.acme.example');
    expect(() => test.app.get(GatewayFactory).create('email', 'acme')).toThrow('the channel email has no provider');
  });

  describe('OpenAPI', () => {
    let document: OpenAPIObject;

    beforeAll(() => {
      document = SwaggerModule.createDocument(test.app, new DocumentBuilder().build());
    });

    it('shows every path of the contract, for slugs and aliases', () => {
      for (const name of ['acme', 'acme-old', 'bell'])
        for (const [path, methods] of [
          ['', ['get', 'post']],
          ['/{id}', ['delete', 'get', 'patch']],
          ...['activate', 'pause', 'resume', 'decommission', 'test'].map(
            (step) => [`/{id}/${step}`, ['post']] as const,
          ),
          ['/{id}/usage', ['get']],
        ] as const)
          expect(Object.keys(document.paths[`/communication/${name}/configs${path}`] ?? {}).sort()).toEqual(methods);
    });

    it("shows each provider's own fields in bodies and answers", () => {
      const post = document.paths['/communication/acme/configs']!.post!;
      interface Schema {
        required: string[];
        properties: Record<string, Schema>;
      }
      const { content } = post.requestBody as { content: Record<string, { schema: Schema }> };
      const { schema } = content['application/json']!;
      expect(Object.keys(schema.properties).sort()).toEqual(
        [
          'credentials',
          'display_name',
          'from_number',
          'max_per_second',
          'quotas',
          'quality',
          'status',
          'supported_countries',
        ].sort(),
      );
      expect(schema.required).toEqual(expect.arrayContaining(['credentials', 'from_number']));
      expect(Object.keys(schema.properties.credentials!.properties).sort()).toEqual(
        [
          'account_id',
          'account_id_ref',
          'api_key',
          'api_key_ref',
          'service_id',
          'signing_key',
          'signing_key_ref',
        ].sort(),
      );
      expect(JSON.stringify(schema)).not.toContain('$schema');
      const view = document.components!.schemas!.AcmeConfig as {
        properties: Record<string, object>;
        required: string[];
      };
      expect(view.properties).toMatchObject({
        id: { type: 'string' },
        credentials: { allOf: [{ $ref: '#/components/schemas/AcmeConfigCredentials' }] },
        from_number: { type: 'string', description: 'Sender.', example: '+15005550006' },
        quality: { type: 'string', enum: ['high', 'low'] },
        supported_countries: { type: 'array', items: { type: 'string' } },
      });
      expect(view.required).toEqual(expect.arrayContaining(['id', 'status', 'from_number', 'credentials']));
      expect(view.required).not.toContain('supported_countries');
    });

    it('gives each operation its own id', () => {
      const ids = Object.values(document.paths).flatMap((item) =>
        Object.values(item as Record<string, { operationId?: string }>).map((operation) => operation.operationId),
      );
      expect(new Set(ids).size).toBe(ids.length);
    });
  });
});
