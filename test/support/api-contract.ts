import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';

type Json = Record<string, unknown>;

/** One operation of the OpenAPI document. */
export interface Operation {
  method: string;
  /** With `{parameters}`. */
  path: string;
  operationId: string;
  definition: {
    parameters?: Array<{ name: string; in: string; schema?: Json; required?: boolean }>;
    requestBody?: {
      content: Record<string, { schema: Json; example?: unknown; examples?: Record<string, { value: Json }> }>;
    };
    responses: Record<string, { description?: string; headers?: Json; content?: Record<string, Json> }>;
    security?: Array<Record<string, unknown>>;
  };
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

/**
 * Holds answers to the document that the service itself publishes: the operation must be documented, its status must be, and the body must fit the
 * schema with no field that the schema does not name.
 */
export class ApiContract {
  readonly operations: Operation[] = [];
  private readonly matchers: Array<{ pattern: RegExp; operation: Operation }> = [];
  private readonly ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true });
  private readonly validators = new Map<string, ValidateFunction>();

  constructor(readonly document: Json) {
    addFormats(this.ajv);
    const closed = structuredClone(document);
    closeSchemas(closed);
    this.ajv.addSchema(closed, 'document');
    for (const [path, item] of Object.entries(document.paths as Record<string, Json>)) {
      for (const method of METHODS) {
        const definition = item[method] as (Operation['definition'] & { operationId: string }) | undefined;
        if (!definition) continue;
        const operation = { method: method.toUpperCase(), path, operationId: definition.operationId, definition };
        this.operations.push(operation);
        const pattern = new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{[^}]+\}/g, '[^/]+')}/?$`);
        this.matchers.push({ pattern, operation });
      }
    }
    // The path with the fewest parameters wins, as in the router.
    this.matchers.sort((a, b) => a.operation.path.split('{').length - b.operation.path.split('{').length);
  }

  find(method: string, path: string): Operation | undefined {
    const bare = path.split('?')[0]!;
    return this.matchers.find(({ pattern, operation }) => operation.method === method && pattern.test(bare))?.operation;
  }

  /** What is wrong with an answer; empty when it fits. */
  faults(method: string, path: string, status: number, contentType: string, body: unknown): string[] {
    const operation = this.find(method, path);
    if (!operation)
      return status === 404 || status === 405 || status === 400 ? [] : [`${method} ${path} is not documented`];
    const where = `${method} ${operation.path} ${status}`;
    const response = operation.definition.responses[String(status)];
    // A route without a body documents nothing of bodies that it is given all the same.
    if (!response && !operation.definition.requestBody && (status === 413 || status === 415 || status === 400))
      return [];
    if (!response) return [`${where} is not documented`];
    const type = contentType.split(';')[0]!.trim();
    if (!response.content) return body === undefined ? [] : [`${where} has an undocumented body`];
    if (!response.content[type])
      return [`${where} is documented as ${Object.keys(response.content).join()}, not ${type}`];
    if (type === 'text/plain') return [];
    const pointer = [
      'paths',
      operation.path,
      method.toLowerCase(),
      'responses',
      String(status),
      'content',
      type,
      'schema',
    ]
      .map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'))
      .map(encodeURIComponent)
      .join('/');
    let validate = this.validators.get(pointer);
    if (!validate) this.validators.set(pointer, (validate = this.ajv.compile({ $ref: `document#/${pointer}` })));
    if (validate(body)) return [];
    return (validate.errors ?? []).map(
      (error) => `${where}: ${error.instancePath || '/'} ${error.message} ${JSON.stringify(error.params)}`,
    );
  }
}

/** A field that is not documented is a fault, so objects that list their properties take no others. */
function closeSchemas(node: unknown): void {
  if (Array.isArray(node)) return node.forEach(closeSchemas);
  if (typeof node !== 'object' || node === null) return;
  const schema = node as Json;
  if (schema.type === 'object' && schema.properties && schema.additionalProperties === undefined && !schema.allOf)
    schema.additionalProperties = false;
  for (const [key, value] of Object.entries(schema)) if (key !== 'example' && key !== 'examples') closeSchemas(value);
}
