import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants';
import { MetadataScanner, ModulesContainer, NestFactory } from '@nestjs/core';
import { AppModule } from '../../src/app.module';
import { readConfig } from '../../src/config/app-config';
import { silentLogger } from '../../src/kernel/logger';
import { PROBLEM_STATUS } from '../../src/kernel/problem';
import { openApiPage } from '../../src/openapi-page';
import { EVENT_TYPES } from '../../src/platform/events/event-store';
import { SENT_EVENTS, UNSENT_EVENTS } from '../../src/ops/openapi-webhooks';
import { MAGIC_RECIPIENTS } from '../../src/simulator/magic-recipients';
import { accessOf } from '../../src/tenancy/route-access';

interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  example?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  anyOf?: Schema[];
  allOf?: Schema[];
  nullable?: boolean;
}

interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  security: Record<string, string[]>[];
  parameters: { name: string; description?: string; example?: unknown; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema; example?: unknown }> };
  responses: Record<
    string,
    {
      description: string;
      headers?: Record<string, { $ref: string }>;
      content?: Record<string, { schema: Schema; examples?: Record<string, { $ref: string }> }>;
    }
  >;
}

interface Document {
  openapi: string;
  info: { description: string };
  paths: Record<string, Record<string, Operation>>;
  webhooks: Record<string, { post: Operation }>;
  components: {
    schemas: Record<string, Schema>;
    securitySchemes: Record<string, object>;
    headers: Record<string, object>;
    examples: Record<string, object>;
  };
  tags: { name: string; description: string }[];
}

const text = readFileSync(join(resolve(__dirname, '../..'), 'docs/openapi.json'), 'utf8');
const document = JSON.parse(text) as Document;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
);

/** Every schema of the document with where it is: components, bodies and answers. */
function* schemas(): Generator<[string, Schema]> {
  const below = function* (where: string, schema: Schema): Generator<[string, Schema]> {
    yield [where, schema];
    for (const [name, field] of Object.entries(schema.properties ?? {})) yield* below(`${where}.${name}`, field);
    if (schema.items) yield* below(`${where}[]`, schema.items);
    if (typeof schema.additionalProperties === 'object') yield* below(`${where}.*`, schema.additionalProperties);
    for (const part of [...(schema.anyOf ?? []), ...(schema.allOf ?? [])]) yield* below(where, part);
  };
  for (const [name, schema] of Object.entries(document.components.schemas)) yield* below(name, schema);
  for (const { name, operation } of operations) {
    const answers = Object.entries(operation.responses).map(([status, answer]) => [`→ ${status}`, answer] as const);
    for (const [what, body] of [['body', operation.requestBody] as const, ...answers]) {
      for (const { schema } of Object.values(body?.content ?? {})) yield* below(`${name} ${what}`, schema);
    }
  }
}

/** Every route of the controllers, as the document writes it, and whether it needs a key. */
async function routes(): Promise<Map<string, boolean>> {
  const config = readConfig({
    DATABASE_URL: 'postgres://nobody@127.0.0.1/none',
    UNIMSG_ADMIN_KEY: 'x'.repeat(24),
    UNIMSG_ENCRYPTION_KEYS: `x:${Buffer.alloc(32).toString('base64')}`,
    UNIMSG_SIMULATOR: 'on',
  });
  const app = await NestFactory.create(AppModule.with(config, silentLogger), { preview: true, logger: false });
  const found = new Map<string, boolean>();
  const scanner = new MetadataScanner();
  for (const module of app.get(ModulesContainer).values()) {
    for (const { metatype } of module.controllers.values()) {
      const controller = metatype as Type;
      const prefix = Reflect.getMetadata(PATH_METADATA, controller) as string;
      for (const name of scanner.getAllMethodNames(controller.prototype as object)) {
        const handler = (controller.prototype as Record<string, Function>)[name]!;
        if (!Reflect.hasMetadata(PATH_METADATA, handler)) continue;
        const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number]!;
        const path = [prefix, Reflect.getMetadata(PATH_METADATA, handler) as string]
          .flatMap((part) => part.split('/'))
          .filter((part) => part !== '')
          .map((part) => part.replace(/^:(\w+)$/, '{$1}'));
        found.set(`${method} /${path.join('/')}`, accessOf(handler, controller)?.kind !== 'public');
      }
    }
  }
  return found;
}

describe('docs/openapi.json', () => {
  test('is what the code says', async () => {
    expect(text).toBe(await openApiPage());
  });

  test('has every route, and says of each whether it needs a key', async () => {
    const expected = await routes();
    expect(expected.size).toBeGreaterThan(60);
    expect(operations.map(({ name }) => name).sort()).toEqual([...expected.keys()].sort());
    for (const { name, operation } of operations) {
      expect({ name, guarded: operation.security.length > 0 }).toEqual({ name, guarded: expected.get(name) });
      for (const scheme of operation.security.flatMap((requirement) => Object.keys(requirement))) {
        expect(Object.keys(document.components.securitySchemes)).toContain(scheme);
      }
    }
  });

  test('every operation has an id of its own, a summary and a section that is described', () => {
    const ids = [
      ...operations.map(({ operation }) => operation),
      ...Object.values(document.webhooks).map((w) => w.post),
    ];
    expect(new Set(ids.map(({ operationId }) => operationId)).size).toBe(ids.length);
    const tags = document.tags.map(({ name }) => name);
    expect(ids.filter(({ operationId }) => !/^[a-z][A-Za-z0-9]+$/.test(operationId))).toEqual([]);
    for (const { operationId, summary, tags: own } of ids) {
      expect(`${operationId}: ${summary}`).toMatch(/: [A-Z].{9,}$/);
      expect(own).toHaveLength(1);
      expect(tags).toContain(own[0]);
    }
    expect(document.tags.filter(({ description }) => !description)).toEqual([]);
    expect(tags.filter((tag) => !ids.some(({ tags: own }) => own.includes(tag)))).toEqual([]);
  });

  test('every field has a description and an example', () => {
    const silent: string[] = [];
    for (const [where, schema] of schemas()) {
      for (const [name, field] of Object.entries(schema.properties ?? {})) {
        // A reference says it where it leads.
        if (field.$ref !== undefined || (where.includes(' → ') && name === 'data')) continue;
        if (!field.description && name !== 'meta') silent.push(`${where}.${name}: description`);
        if (!('example' in field)) silent.push(`${where}.${name}: example`);
      }
    }
    expect(silent).toEqual([]);
  });

  test('every parameter has a description and an example', () => {
    const silent = operations.flatMap(({ name, operation }) =>
      operation.parameters
        .filter((parameter) => !parameter.description || parameter.example === undefined)
        .map((parameter) => `${name} ${parameter.name}`),
    );
    expect(silent).toEqual([]);
  });

  test('is OpenAPI 3.1 without words of 3.0', () => {
    expect(document.openapi).toBe('3.1.0');
    const old = [...schemas()].filter(([, schema]) =>
      Object.entries(schema).some(
        ([key, value]) => key === 'nullable' || (key.startsWith('exclusiveM') && typeof value === 'boolean'),
      ),
    );
    expect(old.map(([where]) => where)).toEqual([]);
  });

  test('names every error code, in the table and with an answer that it comes with', () => {
    const shown = operations.flatMap(({ operation }) =>
      Object.values(operation.responses).flatMap((answer) =>
        Object.keys(answer.content?.['application/problem+json']?.examples ?? {}),
      ),
    );
    for (const [code, status] of Object.entries(PROBLEM_STATUS)) {
      expect(document.info.description).toContain(`| \`${code}\` | ${status} |`);
      expect(shown).toContain(code);
    }
  });

  test('says what many answers share once, and nothing twice in one answer', () => {
    const answers = operations.flatMap(({ name, operation }) =>
      Object.entries(operation.responses).map(([status, answer]) => ({ where: `${name} → ${status}`, answer })),
    );
    const parts = answers.flatMap(({ answer }) => [
      ...Object.values(answer.headers ?? {}),
      ...Object.values(answer.content ?? {}).flatMap(({ examples }) => Object.values(examples ?? {})),
    ]);
    expect(parts.length).toBeGreaterThan(1000);
    const { headers, examples } = document.components;
    const known = new Set([
      ...Object.keys(headers).map((key) => `#/components/headers/${key}`),
      ...Object.keys(examples).map((key) => `#/components/examples/${key}`),
    ]);
    expect(parts.filter(({ $ref }) => !known.has($ref))).toEqual([]);
    const repeated = answers.filter(({ answer }) => {
      const texts = answer.description.split('\n\n');
      return new Set(texts).size < texts.length;
    });
    expect(repeated.map(({ where }) => where)).toEqual([]);
  });

  test('every refusal is a problem document', () => {
    const others = operations.flatMap(({ name, operation }) =>
      Object.entries(operation.responses)
        .filter(([status, answer]) => Number(status) >= 400 && !answer.content?.['application/problem+json'])
        .map(([status]) => `${name} → ${status}`),
    );
    // It tells what is wrong with the process, to an orchestrator.
    expect(others).toEqual(['GET /health/ready → 503']);
  });

  test('has the magic recipients of the simulator', () => {
    const { description } = document.paths['/simulator/messages']!['get']!;
    for (const magic of MAGIC_RECIPIENTS) {
      const row = description!.split('\n').find((line) => line.startsWith(`| ${magic.description} |`));
      expect(row).toContain(`\`${magic.recipient}\``);
    }
  });

  test('has every event that is sent, with its payload', () => {
    expect(Object.keys(document.webhooks).sort()).toEqual(Object.keys(SENT_EVENTS).sort());
    expect([...Object.keys(SENT_EVENTS), ...UNSENT_EVENTS].sort()).toEqual([...EVENT_TYPES, 'webhook.test'].sort());
    for (const [type, { post }] of Object.entries(document.webhooks)) {
      const { schema, example } = post.requestBody!.content['application/json']!;
      expect(schema.properties!['event']).toMatchObject({ enum: [type] });
      expect(schema.properties!['data']!.$ref).toMatch(/^#\/components\/schemas\/\w+EventData$/);
      expect(example).toMatchObject({ event: type, id: expect.stringMatching(/^evt_/) });
    }
  });
});
