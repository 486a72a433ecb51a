import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
/** A schema of the OpenAPI document. */
export type ApiSchema = Exclude<Schemas[string], { $ref: string }>;

/** The JSON Schema of a zod schema, for OpenAPI. `input`: what may be given; `output`: what is shown. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): ApiSchema {
  // OpenAPI 3.1 takes its schemas from this draft; which one is said once, for the whole document.
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' });
  return rest as unknown as ApiSchema;
}
