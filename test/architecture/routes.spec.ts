import { Controller, Get, Module, type Type } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { AppModule } from '../../src/app.module';
import { readConfig } from '../../src/config/app-config';
import { silentLogger } from '../../src/kernel/logger';
import { openApiDocument } from '../../src/ops/openapi-document';
import { assertAllGuarded, routesOf } from '../../src/tenancy/route-access';
import { SCOPES } from '../../src/tenancy/principal';
import { SHOWS_SECRET } from '../../src/tenancy/audit/audit.interceptor';
import { ApiContract } from '../support/api-contract';

/** All that anybody may call: what proves itself by a signature, and what shows nothing of a tenant. */
const PUBLIC = [
  'CallbackController.',
  'HealthController.live',
  'HealthController.ready',
  'OpsController.getMetrics',
  'SimulatorController.list',
  'SimulatorController.receive',
  'UnsubscribeController.',
];

/** Fields of an answer that hold a secret. */
const SECRET_FIELDS = ['api_key', 'secret', 'webhook_signing_secret', 'callback_urls_with_token'];

const config = readConfig({
  DATABASE_URL: 'postgres://nobody@127.0.0.1/none',
  UNIMSG_ADMIN_KEY: 'x'.repeat(24),
  UNIMSG_ENCRYPTION_KEYS: `x:${Buffer.alloc(32).toString('base64')}`,
  UNIMSG_SIMULATOR: 'on',
});

/** The whole application, read and not started. */
const preview = () =>
  NestFactory.create(AppModule.with(config, silentLogger), { preview: true, logger: false, abortOnError: false });

describe('routes', () => {
  test('each says who may call it, and nobody else may without a key', async () => {
    const routes = routesOf((await preview()).get(ModulesContainer));
    expect(routes.length).toBeGreaterThan(60);
    expect(routes.filter(({ access }) => access === undefined)).toEqual([]);
    const open = routes.filter(({ access }) => access?.kind === 'public').map(({ name }) => name);
    expect(open.filter((name) => !PUBLIC.some((one) => name.startsWith(one)))).toEqual([]);
    expect(open.length).toBeGreaterThanOrEqual(PUBLIC.length);
    for (const { name, access } of routes) {
      if (access?.kind !== 'tenant') continue;
      expect({ name, unknown: access.scopes.filter((scope) => !SCOPES.includes(scope)) }).toEqual({
        name,
        unknown: [],
      });
    }
  });

  test('one that says nothing of it stops the start, and is named', async () => {
    @Controller('open')
    class OpenController {
      @Get()
      read(): string {
        return 'anything';
      }
    }

    @Module({ imports: [AppModule.with(config, silentLogger)], controllers: [OpenController] })
    class RootModule {}

    const app = await NestFactory.create(RootModule, { preview: true, logger: false, abortOnError: false });
    expect(() => assertAllGuarded(app.get(ModulesContainer))).toThrow('OpenController.read');
  });

  test('each documents the refusals that it can give', async () => {
    const contract = new ApiContract(openApiDocument(await preview()) as unknown as Record<string, unknown>);
    expect(contract.operations.length).toBeGreaterThan(60);
    const missing: string[] = [];
    for (const { method, path, definition } of contract.operations) {
      const schemes = (definition.security ?? []).flatMap((one) => Object.keys(one));
      const wanted = [
        ...(schemes.length > 0 ? ['401', '429', '500', '503'] : []),
        ...(schemes.includes('api_key') ? ['403'] : []),
        ...(definition.requestBody?.content['application/json'] ? ['400', '413', '415'] : []),
        ...(definition.parameters?.some((one) => one.in === 'query') ? ['400'] : []),
        ...(path.includes('{') ? ['400', '404'] : []),
      ];
      for (const status of wanted) {
        const examples = definition.responses[status]?.content?.['application/problem+json']?.examples;
        if (!examples || Object.keys(examples).length === 0) missing.push(`${method} ${path} ${status}`);
      }
      const success = Object.keys(definition.responses).filter((status) => status.startsWith('2'));
      if (success.length === 0) missing.push(`${method} ${path} 2xx`);
    }
    expect(missing).toEqual([]);
  });
});

describe('the check of answers against the document', () => {
  const accepted = {
    success: true,
    data: {
      message_id: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
      status: 'queued',
      channel: 'sms',
      client_id: 'demo_4k2j9x0m3b7q1w5z',
      created_at: '2026-11-22T08:30:00.000Z',
      segments: 1,
    },
  };
  let contract: ApiContract;
  const faults = (body: unknown, status = 202, path = '/v1/sms/send', type = 'application/json; charset=utf-8') =>
    contract.faults('POST', path, status, type, body);

  beforeAll(async () => {
    contract = new ApiContract(openApiDocument(await preview()) as unknown as Record<string, unknown>);
  });

  test('takes what is documented', () => {
    expect(faults(accepted)).toEqual([]);
    expect(faults({ ...accepted, data: { ...accepted.data, segments: null } })).toEqual([]);
  });

  test.each([
    ['a field that is not documented', () => faults({ ...accepted, data: { ...accepted.data, secret: 'x' } })],
    ['a field of another type', () => faults({ ...accepted, data: { ...accepted.data, segments: '1' } })],
    ['a missing field', () => faults({ ...accepted, data: { message_id: 'x' } })],
    ['a word that is not listed', () => faults({ ...accepted, data: { ...accepted.data, status: 'gone' } })],
    ['a time that is none', () => faults({ ...accepted, data: { ...accepted.data, created_at: 'today' } })],
    ['another envelope', () => faults(accepted.data)],
    ['another status', () => faults(accepted, 201)],
    ['another content type', () => faults(accepted, 202, '/v1/sms/send', 'text/html')],
    ['a problem without its content type', () => faults({ success: false }, 400)],
    ['a route that is not documented', () => faults(accepted, 202, '/v1/sms/sent')],
  ])('finds %s', (_, check) => {
    expect(check()).not.toEqual([]);
  });

  test('each whose answer has a field for a secret notes who was shown it, and no other', async () => {
    const app = await preview();
    const { operations, document } = new ApiContract(openApiDocument(app) as unknown as Record<string, unknown>);
    const { schemas } = document.components as { schemas: Record<string, { properties?: object }> };
    const showing = operations.filter(({ definition }) =>
      Object.entries(definition.responses).some(([status, answer]) => {
        const names = [...JSON.stringify(answer).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name!);
        const fields = names.flatMap((name) => Object.keys(schemas[name]?.properties ?? {}));
        return status.startsWith('2') && fields.some((field) => SECRET_FIELDS.includes(field));
      }),
    );
    const noting = [...app.get(ModulesContainer).values()]
      .flatMap((module) => [...module.controllers.values()])
      .flatMap(({ metatype }) =>
        Object.values(Object.getOwnPropertyDescriptors((metatype as Type).prototype as object)),
      )
      .map(({ value }) => value as unknown)
      .filter(
        (handler): handler is Function => typeof handler === 'function' && Reflect.hasMetadata(SHOWS_SECRET, handler),
      )
      .map((handler) => (Reflect.getMetadata('swagger/apiOperation', handler) as { operationId: string }).operationId);
    expect(noting.length).toBeGreaterThan(4);
    expect(noting.sort()).toEqual(showing.map(({ operationId }) => operationId).sort());
  });
});
