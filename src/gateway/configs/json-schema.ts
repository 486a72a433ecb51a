import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
/** A schema of the OpenAPI document. */
export type ApiSchema = Exclude<Schemas[string], { $ref: string }>;

/** The JSON Schema of a zod schema, for OpenAPI. `input`: what may be given; `output`: what is shown. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): ApiSchema {
  return z.toJSONSchema(schema, { io, target: 'openapi-3.0', unrepresentable: 'any' }) as ApiSchema;
}
