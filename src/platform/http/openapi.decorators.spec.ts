import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { startHttpTestApp, type HttpTestApp } from '../../../test/support/http-test-app';

interface Operation {
  responses: Record<string, { description: string; content?: Record<string, { schema: Record<string, unknown> }> }>;
  security?: Array<Record<string, string[]>>;
}

/** On the routes of tenancy, which use every decorator. */
describe('OpenAPI decorators', () => {
  let test: HttpTestApp;
  let operation: (method: string, path: string) => Operation;

  beforeAll(async () => {
    test = await startHttpTestApp();
    const document = SwaggerModule.createDocument(test.app, new DocumentBuilder().build());
    operation = (method, path) => (document.paths[path] as unknown as Record<string, Operation>)[method]!;
    expect(Object.keys(document.components!.schemas!)).toEqual(
      expect.arrayContaining(['ProblemView', 'ApiKeyView', 'TenantView']),
    );
  });
  afterAll(() => test.close());

  it('document the envelope of one object', () => {
    const { responses } = operation('post', '/v1/api-keys');
    expect(responses['201']!.content!['application/json']!.schema).toMatchObject({
      required: ['success', 'data'],
      properties: { success: { enum: [true] }, data: { $ref: '#/components/schemas/CreatedApiKeyView' } },
    });
    expect(responses).not.toHaveProperty('200');
  });

  it('document a page', () => {
    expect(operation('get', '/v1/api-keys').responses['200']!.content!['application/json']!.schema).toMatchObject({
      required: ['success', 'data', 'meta'],
      properties: { data: { type: 'array', items: { $ref: '#/components/schemas/ApiKeyView' } } },
    });
  });

  it('document every error answer as a problem, with those of the guard and of the server', () => {
    const { responses, security } = operation('delete', '/v1/api-keys/{id}');
    expect(Object.keys(responses).sort()).toEqual(['200', '400', '401', '403', '404', '409', '429', '500', '503']);
    for (const [status, response] of Object.entries(responses)) {
      if (status === '200') continue;
      expect(response.content!['application/problem+json']!.schema).toEqual({
        $ref: '#/components/schemas/ProblemView',
      });
    }
    expect(security).toEqual(expect.arrayContaining([{ api_key: [] }, { api_key_header: [] }]));
    const admin = operation('post', '/admin/tenants');
    expect(admin.security).toEqual([{ admin_key: [] }]);
    expect(Object.keys(admin.responses).sort()).toEqual(['201', '400', '401', '413', '429', '500', '503']);
  });
});
