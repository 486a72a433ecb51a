import { z } from 'zod';
import type { FieldError } from '../../kernel/problem';
import { invalidFields } from '../../platform/http/validation';
import { MOST_QUOTA, QUOTA_MODES, WHEN_EXCEEDED, type Quotas } from '../../tenancy/quotas';
import type { CredentialField, ProviderDefinition } from '../contracts/provider-definition';
import { jsonSchema, type ApiSchema } from './json-schema';
import { fieldError, schemaErrors } from './schema-errors';

const LONGEST_SECRET = 16_384;
const LONGEST_REF = 512;

const quota = (description: string, example: number) =>
  z.number().int().min(0).max(MOST_QUOTA).optional().meta({ description, example });

/** The fields that every config has; the others are the definition's settings. */
const COMMON = {
  display_name: z
    .string()
    .trim()
    .min(1)
    .max(100)
    .optional()
    .meta({ description: 'Your own name for this account.', example: 'Sweden, marketing' }),
  max_per_second: z.number().positive().max(100_000).nullable().optional().meta({
    description: "Most requests a second to this account. null: the provider's default.",
    example: 10,
  }),
  quotas: z
    .strictObject({
      daily: quota('Most messages a day of your time zone. Left out: no limit.', 10_000),
      monthly: quota('Most messages a calendar month of your time zone. Left out: no limit.', 200_000),
      mode: z.enum(QUOTA_MODES).optional().meta({
        description:
          '`hard` (the default): once it is used up the account is given no more messages; see `when_exceeded`. `soft`: only events tell of it.',
        example: 'hard',
      }),
      when_exceeded: z.enum(WHEN_EXCEEDED).optional().meta({
        description:
          'Of a hard quota that is used up. `refuse` (the default): a send that would take this account is refused with 429 `quota_exceeded`, also where the routes name another one after it. `failover`: it takes the next one, and is refused when there is none. A message that is accepted already and comes to this account by failover goes on to the next one in either case.',
        example: 'refuse',
      }),
    })
    .nullable()
    .optional()
    .meta({
      description:
        'Most messages that this account may be given in a period. Replaces all of them; null takes them away.',
      example: { daily: 10_000 },
    }),
};

const CREATE_STATUS = z.enum(['draft', 'active']).optional().meta({
  description: '`active` makes it usable at once, as `activate` does; its secrets must resolve. Default: `draft`.',
  example: 'draft',
});

/** What a tenant gives for credentials: clear secrets are to be sealed, references and plain values kept as they are. */
export interface CredentialChanges {
  /** Secret field → its value in clear. */
  clear: Record<string, string>;
  /** `<field>_ref` → reference, or plain field → value. */
  kept: Record<string, string>;
  /** Fields to take away, without `_ref`. */
  removed: string[];
}

export interface NewConfig {
  displayName: string | undefined;
  maxPerSecond: number | null;
  quotas: Quotas | null;
  status: 'draft' | 'active';
  credentials: CredentialChanges;
  settings: Record<string, unknown>;
}

export interface ConfigChanges {
  displayName: string | undefined;
  maxPerSecond: number | null | undefined;
  quotas: Quotas | null | undefined;
  credentials: CredentialChanges;
  /** The whole of the settings after the change. */
  settings: Record<string, unknown>;
}

/** @throws Problem 400 that names every wrong field */
export function readNewConfig(definition: ProviderDefinition, body: Record<string, unknown>): NewConfig {
  const { common, credentials, settings } = split(body);
  const errors: FieldError[] = [];
  const read = check(z.strictObject({ ...COMMON, status: CREATE_STATUS }), common, errors);
  const given = check(credentialsSchema(definition, 'create'), credentials ?? {}, errors, 'credentials');
  const parsed = check(definition.settings, settings, errors);
  if (errors.length > 0) throw invalidFields(errors);
  return {
    displayName: read!.display_name,
    maxPerSecond: read!.max_per_second ?? null,
    quotas: read!.quotas ?? null,
    status: read!.status ?? 'draft',
    credentials: changesOf(definition, given!),
    settings: parsed!,
  };
}

/**
 * A change of a config: fields that are there are set, `null` takes an optional one away, credentials are merged field by field.
 * @throws Problem 400 that names every wrong field
 */
export function readConfigChanges(
  definition: ProviderDefinition,
  body: Record<string, unknown>,
  current: Readonly<Record<string, unknown>>,
): ConfigChanges {
  const { common, credentials, settings } = split(body);
  const errors: FieldError[] = [];
  const read = check(z.strictObject(COMMON), common, errors);
  const given = check(credentialsSchema(definition, 'change'), credentials ?? {}, errors, 'credentials');
  const merged = Object.fromEntries(
    Object.entries({ ...current, ...settings }).filter(([name, value]) => value !== null || !(name in settings)),
  );
  const parsed = check(definition.settings, merged, errors);
  if (errors.length > 0) throw invalidFields(errors);
  return {
    displayName: read!.display_name,
    maxPerSecond: read!.max_per_second,
    quotas: read!.quotas,
    credentials: changesOf(definition, given!),
    settings: parsed!,
  };
}

/** Where the secrets of a provider go whose host is a setting. */
const ADDRESS = ['host', 'port', 'tls'] as const;

/** Whether a config itself says to which host its secrets go. */
export function hasOwnHost({ settings }: ProviderDefinition): boolean {
  return 'host' in settings.shape;
}

/**
 * Secrets that are stored do not go to another address by a change of it alone: who may change a config must not learn them so.
 * @throws Problem 400 that names the secrets that must be given again, and what changes
 */
export function checkNewAddress(
  definition: ProviderDefinition,
  current: Readonly<{ settings: Record<string, unknown>; credentials: Record<string, string> }>,
  { settings, credentials }: ConfigChanges,
): void {
  const changed = ADDRESS.filter((name) => settings[name] !== current.settings[name]);
  if (!hasOwnHost(definition) || changed.length === 0) return;
  const errors = Object.entries(definition.credentials).flatMap(([name, { secret }]) => {
    if (!secret || current.credentials[`${name}_ref`] === undefined) return [];
    const ref = credentials.kept[`${name}_ref`];
    const isGiven = name in credentials.clear || credentials.removed.includes(name);
    if (isGiven || (ref !== undefined && !ref.startsWith('db:'))) return [];
    return [referenceError(name, 'required', `must be given again, as ${changed.join(', ')} changes`)];
  });
  if (errors.length === 0) return;
  const alone = changed.map((name) => fieldError(name, 'conflict', 'cannot change without the secrets'));
  throw invalidFields([...errors, ...alone]);
}

const COMMON_NAMES = new Set(['display_name', 'max_per_second', 'quotas', 'status']);

function split(body: Record<string, unknown>): {
  common: Record<string, unknown>;
  credentials: unknown;
  settings: Record<string, unknown>;
} {
  const common: Record<string, unknown> = {};
  const settings: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    if (name === 'credentials') continue;
    (COMMON_NAMES.has(name) ? common : settings)[name] = value;
  }
  return { common, credentials: body.credentials, settings };
}

function check<T>(schema: z.ZodType<T>, value: unknown, errors: FieldError[], path = ''): T | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const found = schemaErrors(parsed.error);
  for (const one of found) {
    if (path === '') errors.push(one);
    else {
      const field = one.field === 'body' ? path : `${path}.${one.field}`;
      errors.push({ field, code: one.code, message: `${field}${one.message.slice(one.field.length)}` });
    }
  }
  return undefined;
}

/** Names as they are on the wire: a secret is given as `<name>` or `<name>_ref`, a plain field as `<name>`. */
function credentialsSchema(definition: ProviderDefinition, use: 'create' | 'change') {
  const shape: Record<string, z.ZodType<string | null | undefined>> = {};
  const sharers = hasOwnHost(definition) ? 'this config' : 'a config of this provider';
  for (const [name, field] of Object.entries(definition.credentials)) {
    const value = valueSchema(field);
    const required = use === 'create' && field.required;
    // A required field is checked below when it has two spellings.
    shape[name] = field.secret || !required ? optional(value, use, field) : value;
    if (field.secret) shape[`${name}_ref`] = optional(refSchema(name, field, sharers), use, field);
  }
  return z.strictObject(shape).superRefine((given, context) => {
    for (const [name, field] of Object.entries(definition.credentials)) {
      if (!field.secret) continue;
      const [clear, ref] = [given[name], given[`${name}_ref`]];
      const issue = (code: string, message: string, at = name) =>
        context.addIssue({ code: 'custom', path: [at], message, params: { code } });
      if (clear != null && ref != null) issue('conflict', `cannot be given together with ${name}_ref`);
      else if (use === 'create' && field.required && clear == null && ref == null)
        issue('required', `is required, or ${name} in its place`, `${name}_ref`);
    }
  });
}

function optional(
  schema: z.ZodType<string>,
  use: 'create' | 'change',
  field: CredentialField,
): z.ZodType<string | null | undefined> {
  if (use === 'create' || field.required) return schema.optional();
  return schema
    .nullable()
    .meta(schema.meta() ?? {})
    .optional();
}

/** A line break that was pasted along would break every request, in which most credentials are part of a header. */
function oneLine(value: string): string | undefined {
  return /\p{Cc}/u.test(value) ? 'must be one line, without control characters' : undefined;
}

function valueSchema(field: CredentialField): z.ZodType<string> {
  const base = z.string().min(1).max(LONGEST_SECRET);
  const { pattern, check: fault = oneLine } = field;
  let schema: z.ZodType<string> = pattern ? base.regex(pattern, 'must have the form that the provider gives it') : base;
  schema = schema.superRefine((value, context) => {
    const message = fault(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message, params: { code: 'invalid_format' } });
  });
  return schema.meta({
    description: field.secret ? `${field.description} Sealed at once; never shown again.` : field.description,
    example: field.example,
    ...(field.secret && { writeOnly: true }),
  });
}

function refSchema(name: string, field: CredentialField, sharers: string): z.ZodType<string> {
  return z
    .string()
    .min(1)
    .max(LONGEST_REF)
    .meta({
      description: `Names where ${name} is kept: \`env:NAME\`, \`file:PATH\`, \`vault:…#field\`, \`azure-keyvault:NAME\`, or \`db:sec_…\`, a secret that was given to ${sharers}. ${field.description}`,
      example: `env:ACME_${name.toUpperCase()}`,
    });
}

function changesOf(
  definition: ProviderDefinition,
  given: Record<string, string | null | undefined>,
): CredentialChanges {
  const changes: CredentialChanges = { clear: {}, kept: {}, removed: [] };
  for (const [name, field] of Object.entries(definition.credentials)) {
    const value = given[name];
    const ref = given[`${name}_ref`];
    if (typeof value === 'string') (field.secret ? changes.clear : changes.kept)[name] = value;
    else if (typeof ref === 'string') changes.kept[`${name}_ref`] = ref;
    else if (value === null || ref === null) changes.removed.push(name);
  }
  return changes;
}

/** JSON Schema of the body that makes a config, for OpenAPI. */
export function newConfigSchema(definition: ProviderDefinition): ApiSchema {
  return jsonSchema(
    z.strictObject({
      ...COMMON,
      status: CREATE_STATUS,
      credentials: describeCredentials(definition, 'create'),
      ...definition.settings.shape,
    }),
    'input',
  );
}

/** JSON Schema of the body that changes a config, for OpenAPI. */
export function configChangesSchema(definition: ProviderDefinition): ApiSchema {
  const settings = Object.fromEntries(
    Object.entries(definition.settings.partial().shape).map(([name, schema]) => [
      name,
      (schema as z.ZodType).nullable().meta((definition.settings.shape[name] as z.ZodType).meta() ?? {}),
    ]),
  );
  return jsonSchema(
    z.strictObject({ ...COMMON, credentials: describeCredentials(definition, 'change').optional(), ...settings }),
    'input',
  );
}

function describeCredentials(definition: ProviderDefinition, use: 'create' | 'change') {
  return credentialsSchema(definition, use).meta({
    description: 'The account. Each secret is given in clear, and sealed, or as a reference.',
  });
}

/** JSON Schema of a config's own settings as they are shown. */
export function settingsSchema(definition: ProviderDefinition): ApiSchema {
  return jsonSchema(definition.settings, 'output');
}

/** A 400 about a reference that may not be used. */
export function referenceError(field: string, code: string, message: string): FieldError {
  return fieldError(`credentials.${field}`, code, message);
}
