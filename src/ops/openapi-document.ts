import type { INestApplication } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { Response } from 'express';
import { platformRefusals } from '../platform/http/openapi.decorators';
import { SECURITY_SCHEMES } from '../tenancy/auth.decorators';
import { Examples, type Schema } from './openapi-examples';
import { sayOnce, shareParts } from './openapi-shared';
import { description, TAGS } from './openapi-text';
import { exampleOfEvent, openApiWebhooks, WEBHOOK_MODELS } from './openapi-webhooks';

/**
 * The OpenAPI document of an application: generated from controllers and DTOs, never written by hand. Needs no instance of anything, so an
 * application in Nest's preview mode will do.
 */
export function openApiDocument(app: INestApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setTitle('UniMsg')
    .setDescription(description())
    .setVersion('1.0.0')
    .setOpenAPIVersion('3.1.0')
    .addServer('/', 'This service')
    .addBearerAuth(
      { type: 'http', scheme: 'bearer', description: 'A tenant’s API key (`um_…`).' },
      SECURITY_SCHEMES.tenantBearer,
    )
    .addApiKey(
      { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same key in a header of its own.' },
      SECURITY_SCHEMES.tenantHeader,
    )
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'The operator’s key.' }, SECURITY_SCHEMES.admin);
  const document = SwaggerModule.createDocument(app, builder.build(), {
    extraModels: WEBHOOK_MODELS,
  });
  // The identifier is OpenAPI 3.1's; the builder knows URLs only.
  document.info.license = { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' } as { name: string };
  document.webhooks = openApiWebhooks();
  finish(document);
  return document;
}

/** No bar for other documents; tables as close as text; what is folded looks as if it could be opened. */
const STYLE = `
.swagger-ui .topbar { display: none }
.swagger-ui .info__license { display: none }
.swagger-ui .info { margin: 30px 0 10px }
.swagger-ui .scheme-container { margin: 0 0 10px; padding: 10px 0 }
.swagger-ui .markdown table td, .swagger-ui .markdown table th, .swagger-ui .renderedMarkdown table td { padding: 4px 12px 4px 0 }
.swagger-ui .renderedMarkdown table tbody tr td:first-of-type { padding: 4px 12px 4px 0; min-width: 0 }
.swagger-ui .info details { margin: 6px 0 }
.swagger-ui .info summary { cursor: pointer; font-size: 14px }
`;

/** Serves the document at `/openapi.json` and Swagger UI at `/docs`. */
export function serveOpenApi(app: INestApplication): void {
  const document = openApiDocument(app);
  const json = JSON.stringify(document);
  const adapter = app.getHttpAdapter() as AbstractHttpAdapter<unknown, unknown, Response>;
  adapter.get('/openapi.json', (_request: unknown, response: Response) => {
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(json);
  });
  SwaggerModule.setup('docs', app, forSwaggerUi(document), {
    raw: false,
    customSiteTitle: 'UniMsg API',
    customCss: STYLE,
    swaggerOptions: {
      persistAuthorization: true,
      displayRequestDuration: true,
      // There are hundreds of operations; drawing them all at once takes a browser the better part of a minute.
      docExpansion: 'none',
      tryItOutEnabled: true,
      defaultModelsExpandDepth: 0,
      // Nothing of this page leaves the machine.
      validatorUrl: null,
    },
  });
}

interface Operation {
  tags?: string[];
  security?: object[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { content?: Record<string, Media> }>;
}

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  example?: unknown;
  examples?: Record<string, { summary?: string; value: unknown }>;
  schema: Schema;
}

interface Media {
  schema?: Schema;
  example?: unknown;
  examples?: object;
}

/** What the generator leaves open. */
function finish(document: OpenAPIObject): void {
  const examples = new Examples(document);
  for (const schema of Object.values(document.components?.schemas ?? {})) examples.fill(schema as Schema);
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path) as Operation[]);
  for (const operation of operations) {
    // A start with a route that says nothing of who may call it is refused, so this one is public.
    operation.security ??= [];
    // A callback's body is anything that its provider may send, so its type is not looked at.
    const content = operation.requestBody?.content ?? {};
    const hasBody = content['application/json'] !== undefined || content['text/csv'] !== undefined;
    const hasPath = operation.parameters?.some(({ in: where }) => where === 'path') === true;
    if (hasBody || hasPath) operation.responses = { ...platformRefusals(hasBody), ...operation.responses };
    for (const parameter of operation.parameters ?? []) finishParameter(parameter, examples);
    for (const media of Object.values(operation.requestBody?.content ?? {})) closeSchema(media.schema, document);
    const bodies = [operation.requestBody, ...Object.values(operation.responses)];
    for (const body of bodies) for (const media of Object.values(body?.content ?? {})) examples.fill(media.schema);
  }
  for (const [type, { post }] of Object.entries(document.webhooks ?? {})) {
    const media = (post as Operation).requestBody!.content['application/json']!;
    const example = examples.of(media.schema!) as { data: object };
    media.example = { ...example, data: { ...example.data, ...exampleOfEvent(type) } };
  }
  document.tags = tagsOf(operations);
  sayOnce(document);
  shareParts(document);
}

/** Unknown fields are refused, so a request's objects have no others than those that are named. */
function closeSchema(schema: Schema | undefined, document: OpenAPIObject): void {
  if (schema?.$ref !== undefined) {
    closeSchema(document.components?.schemas?.[schema.$ref.slice('#/components/schemas/'.length)] as Schema, document);
    return;
  }
  if (schema?.properties !== undefined) schema.additionalProperties ??= false;
  for (const field of Object.values(schema?.properties ?? {})) closeSchema(field, document);
  for (const part of [schema?.items, ...(schema?.anyOf ?? []), ...(schema?.allOf ?? [])]) {
    if (part !== undefined) closeSchema(part, document);
  }
}

function finishParameter(parameter: Parameter, examples: Examples): void {
  const example = parameter.example ?? parameter.schema.default ?? examples.of(parameter.schema);
  delete parameter.schema.example;
  if (example !== undefined) parameter.example = example;
}

/**
 * The document as Swagger UI gets it. That fills each parameter in with its example, which is right for a required one. An optional one, such as a
 * filter, stays empty unless somebody chooses the example.
 */
function forSwaggerUi(document: OpenAPIObject): OpenAPIObject {
  const copy = structuredClone(document);
  for (const operation of Object.values(copy.paths).flatMap((path) => Object.values(path) as Operation[])) {
    for (const parameter of operation.parameters ?? []) {
      if (parameter.required || parameter.example === undefined) continue;
      parameter.examples = {
        none: { summary: 'Left out', value: '' },
        example: { summary: JSON.stringify(parameter.example), value: parameter.example },
      };
      delete parameter.example;
      delete parameter.schema.default;
    }
  }
  shareResponses(copy);
  return copy;
}

/** Writes each answer that several operations give once: a page that has to keep a document of megabytes in hand is slow at every click. */
function shareResponses(document: OpenAPIObject): void {
  const shared: Record<string, object> = {};
  const names = new Map<string, string>();
  for (const { responses } of Object.values(document.paths).flatMap((path) => Object.values(path) as Operation[])) {
    for (const [status, answer] of Object.entries(responses)) {
      const text = JSON.stringify(answer);
      let name = names.get(text);
      if (name === undefined) {
        name = `Answer${status}_${names.size}`;
        names.set(text, name);
        shared[name] = answer;
      }
      (responses as Record<string, object>)[status] = { $ref: `#/components/responses/${name}` };
    }
  }
  document.components = {
    ...document.components,
    responses: shared as NonNullable<OpenAPIObject['components']>['responses'],
  };
}

/** The sections in their order; those of the providers' accounts, which follow from the definitions, behind `Gateways`. */
function tagsOf(operations: readonly Operation[]): Array<{ name: string; description: string }> {
  const used = new Set(operations.flatMap((operation) => operation.tags ?? []));
  const known = TAGS.filter(([name]) => used.has(name)).map(([name, text]) => ({ name, description: text }));
  const others = [...used].filter((name) => !TAGS.some(([tag]) => tag === name));
  const accounts = others.map((name) => ({ name, description: `Your accounts: ${name.replace(' configs', '')}.` }));
  known.splice(known.findIndex(({ name }) => name === 'Gateways') + 1, 0, ...accounts);
  return known;
}
