import type { OpenAPIObject } from '@nestjs/swagger';

/** As much of JSON Schema as the document uses. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  example?: unknown;
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: boolean | Schema;
  allOf?: Schema[];
  anyOf?: Schema[];
  default?: unknown;
  oneOf?: Schema[];
}

const MOST_DEPTH = 8;

/** Examples of schemas that have none of their own, put together from those of their fields. */
export class Examples {
  constructor(private readonly document: OpenAPIObject) {}

  /** Gives every field below a schema an example, where anything says what it holds, and its default in words. */
  fill(schema: Schema | undefined): void {
    if (schema === undefined) return;
    for (const field of Object.values(schema.properties ?? {})) {
      if (field.$ref === undefined && !('example' in field)) {
        const example = this.of(field);
        if (example !== undefined) field.example = example;
      }
      sayDefault(field);
      this.fill(field);
    }
    this.fill(schema.items);
    if (typeof schema.additionalProperties === 'object') this.fill(schema.additionalProperties);
    for (const part of [...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) this.fill(part);
  }

  of(schema: Schema, depth = 0): unknown {
    if ('example' in schema) return schema.example;
    if (depth > MOST_DEPTH) return undefined;
    if (schema.$ref !== undefined) return this.of(this.resolve(schema.$ref), depth + 1);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum !== undefined) return schema.enum[0];
    if (schema.allOf !== undefined) {
      return Object.assign({}, ...schema.allOf.map((part) => this.of(part, depth + 1))) as object;
    }
    const choice = (schema.anyOf ?? schema.oneOf)?.find((part) => part.type !== 'null');
    if (choice !== undefined) return this.of(choice, depth + 1);
    if (schema.items !== undefined) {
      const item = this.of(schema.items, depth + 1);
      return item === undefined ? [] : [item];
    }
    if (schema.properties === undefined) return undefined;
    const fields = Object.entries(schema.properties).map(([name, field]) => [name, this.of(field, depth + 1)] as const);
    return Object.fromEntries(fields.filter(([, example]) => example !== undefined));
  }

  private resolve(ref: string): Schema {
    const schema = this.document.components?.schemas?.[ref.slice('#/components/schemas/'.length)];
    if (schema === undefined) throw new Error(`${ref} is not in the document`);
    return schema as Schema;
  }
}

/** Generators of clients take a field with a default as one that is always there, in requests too. In words it does no harm. */
function sayDefault(field: Schema): void {
  if (field.default === undefined) return;
  const text = field.description ?? '';
  if (!text.includes('Default:')) field.description = `${text} Default: \`${String(field.default as string)}\`.`.trim();
  delete field.default;
}
