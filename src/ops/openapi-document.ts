import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { SECURITY_SCHEMES } from '../tenancy/auth.decorators';

const DESCRIPTION = `Send SMS, WhatsApp, email, Telegram and push over your own provider accounts, and get one truth back.

Every answer is \`{"success": true, "data": …}\`; every error is RFC 9457 (\`application/problem+json\`) with a stable \`code\`.
Names are snake_case, times RFC 3339 in UTC, phone numbers E.164. Another tenant's object answers 404.`;

/** The OpenAPI document of the running application: generated from controllers and DTOs, never written by hand. */
export function openApiDocument(app: INestApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setTitle('UniMsg')
    .setDescription(DESCRIPTION)
    .setVersion('1.0.0')
    .setOpenAPIVersion('3.1.0')
    .setLicense('Proprietary', 'https://unimsg.dev/license')
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
  for (const [name, description] of TAGS) builder.addTag(name, description);
  return SwaggerModule.createDocument(app, builder.build());
}

const TAGS: ReadonlyArray<readonly [string, string]> = [
  ['sending', 'Send a message.'],
  ['messages', 'Read, list, cancel and refresh messages; send many at once.'],
  ['gateways', 'Routing and failover.'],
  ['provider configs', 'Your accounts at providers.'],
  ['webhooks', 'Events to your own URL.'],
  ['events', 'The same events, to pull.'],
  ['provider callbacks', 'What providers reported.'],
  ['account', 'Who a key belongs to, and its keys.'],
  ['admin', 'The operator: tenants.'],
  ['simulator', 'What the providers’ stand-ins received.'],
  ['operation', 'Health and metrics.'],
];

/** Serves the document at `/openapi.json` and Swagger UI at `/docs`. */
export function serveOpenApi(app: INestApplication): OpenAPIObject {
  const document = openApiDocument(app);
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'UniMsg API',
    swaggerOptions: {
      persistAuthorization: true,
      displayRequestDuration: true,
      docExpansion: 'list',
      tryItOutEnabled: true,
    },
  });
  return document;
}
