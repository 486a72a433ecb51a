import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { isEmailAddress } from '../kernel/email-address';
import { Secret } from '../kernel/secret';

/** What a process does: take requests, send and deliver, run timed work, or all of it. */
export const ROLES = ['all', 'api', 'worker', 'scheduler'] as const;
export type Role = (typeof ROLES)[number];

/** One variable that is set and wrong. Its text is one line that names the variable and never shows its value. */
export class ConfigurationError extends Error {
  constructor(
    readonly variable: string,
    reason: string,
  ) {
    super(`${variable}: ${reason}`);
    this.name = 'ConfigurationError';
  }
}

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));

const httpUrl = z
  .string()
  .refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''), 'must be an http or https URL')
  .refine((text) => !URL.parse(text)?.search && !URL.parse(text)?.hash, 'must have no query and no fragment')
  // In ASCII, since providers are told callback URLs, and sign them, in that form.
  .transform((text) => (URL.parse(text)?.href ?? text).replace(/\/+$/, ''));

const urlWithScheme = (schemes: string[]) =>
  z
    .string()
    .refine((text) => schemes.includes(URL.parse(text)?.protocol ?? ''), `must be a ${schemes.join(' or ')}// URL`);

const redisUrl = urlWithScheme(['redis:', 'rediss:']).refine(
  (text) => /^(?:\/\d{0,5})?$/.test(URL.parse(text)?.pathname ?? ''),
  'must name a database by its number, such as redis://host:6379/0',
);

const encryptionKeys = z.string().superRefine((text, context) => {
  const ids = new Set<string>();
  for (const part of text.split(',')) {
    const match = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_-]+=*)$/.exec(part.trim());
    if (!match || Buffer.from(match[2]!, 'base64').length !== 32) {
      context.addIssue({ code: 'custom', message: 'must be id:base64key[,id:base64key…] with keys of 32 bytes' });
      return;
    }
    if (ids.has(match[1]!)) context.addIssue({ code: 'custom', message: 'names a key id twice' });
    ids.add(match[1]!);
  }
});

const cidrs = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean),
  )
  .refine(
    (parts) => parts.every((part) => ipaddr.isValidCIDR(part)),
    'must be a comma-separated list of ranges such as 10.0.0.0/8,fd00::/8',
  );

const headerText = z.string().regex(/^[\x21-\x7e]+$/, 'must be visible ASCII without spaces');

const mailDomain = z
  .string()
  .transform((text) => domainToASCII(text.trim()))
  .refine((text) => /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(text), 'must be a domain name');

const emailAddresses = z
  .string()
  .transform((text) => text.split(',').map((part) => part.trim()))
  .refine((parts) => parts.every(isEmailAddress), 'must be an email address, or several separated by commas');

const SMTP_URL = 'must be smtp://[user:password@]host[:port] or smtps://…, with ?tls=none for a server in clear';

const smtpUrl = z.string().transform((text, context): SmtpSettings => {
  const settings = smtpSettings(text);
  if (settings !== undefined) return settings;
  context.addIssue({ code: 'custom', message: SMTP_URL });
  return z.NEVER;
});

const azureId = z.string().regex(/^[0-9A-Za-z.-]{1,128}$/, 'must be an id of letters, digits, dots and hyphens');

const onOff = z.enum(['on', 'off'], { error: 'must be on or off' });

const baseUrl = (provider: string) =>
  httpUrl
    .optional()
    .describe(
      `Replaces scheme and host of the ${provider} API; a path prefix is allowed, the provider's own path is appended. Set it only to an address that you trust with the credentials of every tenant.`,
    );

/**
 * Every variable that the service reads: the one source for validation, `docs/configuration.md` and {@link AppConfig}.
 * A variable that is not here has no effect.
 */
export const ENVIRONMENT = z.object({
  PORT: integer(0, 65535).default(3000).describe('HTTP port. 0 takes any free one.'),
  HOST: z
    .string()
    .min(1)
    .optional()
    .describe('HTTP address. Default: 127.0.0.1 with the embedded database, else 0.0.0.0.'),
  DATABASE_URL: urlWithScheme(['postgres:', 'postgresql:'])
    .optional()
    .describe('PostgreSQL 14 or later. Unset: an embedded PostgreSQL is started in UNIMSG_DATA_DIR.'),
  REDIS_URL: redisUrl.optional().describe('Redis 6.2 or later for the Bull queue. Unset: the in-process queue.'),
  UNIMSG_ROLE: z
    .enum(ROLES, { error: `must be one of ${ROLES.join(', ')}` })
    .default('all')
    .describe('What this process does.'),
  UNIMSG_DATA_DIR: z
    .string()
    .min(1)
    .default('.unimsg')
    .describe('Where the embedded database and the keys made at first start live.'),
  UNIMSG_ADMIN_KEY: z
    .string()
    .min(24, 'must have at least 24 characters')
    .optional()
    .describe(
      "The operator's key. Unset with the embedded database: made once, kept in the data directory and printed.",
    ),
  UNIMSG_ENCRYPTION_KEYS: encryptionKeys
    .optional()
    .describe(
      'Key ring `id:base64key[,id:base64key…]` of 32-byte keys; the first one seals. Unset with the embedded database: made once and kept.',
    ),
  UNIMSG_PUBLIC_URL: httpUrl
    .optional()
    .describe(
      'Where providers reach this service. Default: the HTTP address. Must be set when UNIMSG_ROLE splits the work.',
    ),
  UNIMSG_SIMULATOR: onOff
    .optional()
    .describe(
      'Local stand-ins of every provider. Default: on with the embedded database, else off. What they received can be read without a key at /simulator: where others reach HOST, leave it off.',
    ),
  UNIMSG_DEMO: onOff
    .optional()
    .describe(
      'A demo tenant with simulated provider accounts, made at first start. Default: on with the embedded database and the simulator.',
    ),
  UNIMSG_RATE_LIMIT: integer(0, 1_000_000)
    .default(500)
    .describe('Requests a second and key; bursts of twice that. 0: no limit.'),
  UNIMSG_IDEMPOTENCY_HOURS: integer(24, 24 * 365)
    .default(24)
    .describe('How long an idempotency key is remembered.'),
  UNIMSG_ALLOWED_PRIVATE_CIDRS: cidrs
    .default([])
    .describe(
      'Ranges that calls to client URLs may reach besides the public internet, e.g. 127.0.0.0/8 while developing.',
    ),
  UNIMSG_TRUSTED_PROXIES: cidrs
    .default([])
    .describe(
      'Ranges of your reverse proxies, e.g. 10.0.0.0/8: of a request from there the client’s address is taken from X-Forwarded-For. Unset: the header counts for nothing.',
    ),
  UNIMSG_MAIL_DOMAIN: mailDomain
    .default('unimsg.localhost')
    .describe('Domain of the addresses that the service mails from; inbound messages come from `smsin` there.'),
  UNIMSG_SMTP_URL: smtpUrl
    .optional()
    .describe(
      'Mail server of the operator, for inbound messages, alerts and reports by email: `smtp://user:password@host:587` (STARTTLS, which the server must offer) or `smtps://user:password@host:465` (TLS from the first byte); `smtp://host:25?tls=none` goes in clear, which is the default on a loopback address. Unset: the stand-in of the simulator while that is on, else such mail fails and is tried again.',
    ),
  UNIMSG_ALERT_EMAIL: emailAddresses
    .default([])
    .describe(
      'Who is mailed when an alert of any tenant is raised or cleared; several addresses are separated by commas. Tenants name their own in their settings. Unset: nobody.',
    ),
  UNIMSG_SECRETS_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('Directory under which `file:` secret references are read. Unset: none are.'),
  VAULT_ADDR: httpUrl
    .optional()
    .describe(
      'HashiCorp Vault that `vault:<mount>/data/<path>#<field>` references are read from (key-value engine, version 2). A changed secret is noticed within 70 seconds; while Vault is away, what was read in the last hour is used. Unset: none are.',
    ),
  VAULT_TOKEN: headerText
    .optional()
    .describe('The token that the service shows to Vault. VAULT_ADDR needs it or VAULT_TOKEN_FILE.'),
  VAULT_TOKEN_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('A file with that token, read again for each call, so that an agent may renew it.'),
  VAULT_NAMESPACE: headerText.optional().describe("Vault Enterprise's namespace."),
  AZURE_KEYVAULT_URL: httpUrl
    .optional()
    .describe(
      'Azure Key Vault, such as https://acme.vault.azure.net, that `azure-keyvault:<name>[/<version>]` references are read from, kept as those of Vault. The service signs in by AZURE_CLIENT_SECRET, else by AZURE_FEDERATED_TOKEN_FILE, else as its managed identity. Unset: none are.',
    ),
  AZURE_TENANT_ID: azureId.optional().describe('Directory (tenant) that the service signs in to.'),
  AZURE_CLIENT_ID: azureId
    .optional()
    .describe('Application (client) that the service signs in as; without a secret, its user-assigned identity.'),
  AZURE_CLIENT_SECRET: z.string().min(1).optional().describe("That application's secret."),
  AZURE_FEDERATED_TOKEN_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('A file with the token of a workload identity, as Kubernetes mounts it.'),
  AZURE_AUTHORITY_HOST: httpUrl.optional().describe('Sign-in host of a sovereign cloud. Default: the public cloud.'),
  UNIMSG_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'], { error: 'must be debug, info, warn, error or silent' })
    .default('info')
    .describe('Least level that is logged.'),
  UNIMSG_WORKER_CONCURRENCY: integer(1, 10_000)
    .default(500)
    .describe('Provider calls under way at once in a worker process.'),
  UNIMSG_DATABASE_POOL: integer(2, 500).default(10).describe('Most database connections of a process.'),
  UNIMSG_CONFIG_PROBE_SECONDS: integer(1, 3600)
    .default(30)
    .describe('How often the credentials of a config in `error` are tried again.'),
  TWILIO_BASE_URL: baseUrl('Twilio'),
  VONAGE_BASE_URL: baseUrl('Vonage'),
  SKEBBY_BASE_URL: baseUrl('Skebby'),
  ELKS_BASE_URL: baseUrl('46elks'),
  META_BASE_URL: baseUrl('Meta Graph'),
  SENDGRID_BASE_URL: baseUrl('SendGrid'),
  MAILGUN_BASE_URL: baseUrl('Mailgun'),
  TELEGRAM_BASE_URL: baseUrl('Telegram Bot'),
  FCM_BASE_URL: baseUrl('Firebase Cloud Messaging'),
  GOOGLE_OAUTH_BASE_URL: baseUrl('Google OAuth token'),
});

export type BaseUrlVariable = Extract<keyof z.infer<typeof ENVIRONMENT>, `${string}_BASE_URL`>;

/** Where HashiCorp Vault is, and what it is shown; one of `token` and `tokenFile` is set. */
export interface VaultSettings {
  /** Without a trailing slash. */
  readonly address: string;
  readonly token?: Secret;
  readonly tokenFile?: string;
  readonly namespace?: string;
}

/** Which Azure Key Vault is read, and as whom. */
export interface AzureKeyVaultSettings {
  readonly url: string;
  readonly tenantId?: string;
  readonly clientId?: string;
  readonly clientSecret?: Secret;
  readonly federatedTokenFile?: string;
  readonly authorityHost?: string;
}

/** The operator's mail server. */
export interface SmtpSettings {
  readonly host: string;
  readonly port: number;
  readonly tls: 'starttls' | 'implicit' | 'none';
  /** Undefined: no authentication. */
  readonly auth?: { readonly user: string; readonly password: Secret };
}

/** The process's configuration; frozen, made once, injected under {@link APP_CONFIG}. */
export interface AppConfig {
  readonly port: number;
  readonly host: string;
  readonly role: Role;
  readonly dataDir: string;
  /** The embedded PostgreSQL runs; it and its data belong to this process alone. */
  readonly embedded: boolean;
  /** With the embedded default undefined until that server runs; {@link withDatabaseUrl} sets it then. */
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly databasePool: number;
  readonly adminKey: string;
  /** `id:base64key[,…]`, the first one seals. */
  readonly encryptionKeys: string;
  /** Undefined until the HTTP address is known; read it through `PublicUrl`. */
  readonly publicUrl: string | undefined;
  readonly simulator: boolean;
  readonly demo: boolean;
  /** Requests a second and key; 0: none. */
  readonly rateLimit: number;
  readonly idempotencyHours: number;
  readonly allowedPrivateCidrs: readonly string[];
  /** Ranges whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** In ASCII. */
  readonly mailDomain: string;
  /** Undefined: the simulator's stand-in, else none. */
  readonly smtp: SmtpSettings | undefined;
  /** Addresses that are mailed the alerts of all tenants. */
  readonly alertEmails: readonly string[];
  readonly secretsDir: string | undefined;
  /** Undefined: `vault:` references are not read. */
  readonly vault: VaultSettings | undefined;
  /** Undefined: `azure-keyvault:` references are not read. */
  readonly azureKeyVault: AzureKeyVaultSettings | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly workerConcurrency: number;
  readonly configProbeSeconds: number;
  /** The operator's `…_BASE_URL` overrides by variable name. */
  readonly baseUrls: Readonly<Partial<Record<BaseUrlVariable, string>>>;
}

/** DI token of the {@link AppConfig}. */
export const APP_CONFIG = Symbol('AppConfig');

/** What the embedded default made at first start and keeps in the data directory. */
export interface GeneratedKeys {
  adminKey: string;
  encryptionKeys: string;
}

/** True when these variables ask for the embedded PostgreSQL. */
export function isEmbedded(env: NodeJS.ProcessEnv): boolean {
  return !env.DATABASE_URL;
}

/**
 * Reads the environment. An empty variable counts as unset.
 * @param generated keys to use where the environment has none; only the embedded default has them
 * @throws ConfigurationError for the first wrong variable
 */
export function readConfig(env: NodeJS.ProcessEnv, generated?: GeneratedKeys): AppConfig {
  const given = Object.fromEntries(
    Object.keys(ENVIRONMENT.shape)
      .map((name) => [name, env[name]] as const)
      .filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = ENVIRONMENT.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new ConfigurationError(String(issue.path[0]), issue.message);
  }
  const values = parsed.data;
  const embedded = values.DATABASE_URL === undefined;
  const adminKey = values.UNIMSG_ADMIN_KEY ?? generated?.adminKey;
  if (adminKey === undefined) throw new ConfigurationError('UNIMSG_ADMIN_KEY', 'must be set when DATABASE_URL is');
  const encryptionKeys = values.UNIMSG_ENCRYPTION_KEYS ?? generated?.encryptionKeys;
  if (encryptionKeys === undefined)
    throw new ConfigurationError('UNIMSG_ENCRYPTION_KEYS', 'must be set when DATABASE_URL is');
  if (values.UNIMSG_ROLE !== 'all' && embedded) {
    throw new ConfigurationError('UNIMSG_ROLE', 'can only be split over processes when DATABASE_URL is set');
  }
  if (values.UNIMSG_ROLE !== 'all' && values.REDIS_URL === undefined) {
    throw new ConfigurationError('UNIMSG_ROLE', 'can only be split over processes when REDIS_URL is set');
  }
  if (values.UNIMSG_ROLE !== 'all' && values.UNIMSG_PUBLIC_URL === undefined) {
    throw new ConfigurationError('UNIMSG_PUBLIC_URL', 'must be set when UNIMSG_ROLE splits the work over processes');
  }
  const simulator = values.UNIMSG_SIMULATOR === undefined ? embedded : values.UNIMSG_SIMULATOR === 'on';
  const baseUrls = Object.fromEntries(
    Object.entries(values).filter(([name, value]) => name.endsWith('_BASE_URL') && value !== undefined),
  ) as AppConfig['baseUrls'];
  return Object.freeze({
    port: values.PORT,
    host: values.HOST ?? (embedded ? '127.0.0.1' : '0.0.0.0'),
    role: values.UNIMSG_ROLE,
    dataDir: values.UNIMSG_DATA_DIR,
    embedded,
    databaseUrl: values.DATABASE_URL,
    redisUrl: values.REDIS_URL,
    databasePool: values.UNIMSG_DATABASE_POOL,
    adminKey,
    encryptionKeys,
    publicUrl: values.UNIMSG_PUBLIC_URL,
    simulator,
    demo: values.UNIMSG_DEMO === undefined ? embedded && simulator : values.UNIMSG_DEMO === 'on',
    rateLimit: values.UNIMSG_RATE_LIMIT,
    idempotencyHours: values.UNIMSG_IDEMPOTENCY_HOURS,
    allowedPrivateCidrs: Object.freeze([...values.UNIMSG_ALLOWED_PRIVATE_CIDRS]),
    trustedProxies: Object.freeze([...values.UNIMSG_TRUSTED_PROXIES]),
    mailDomain: values.UNIMSG_MAIL_DOMAIN,
    smtp: values.UNIMSG_SMTP_URL,
    alertEmails: Object.freeze([...values.UNIMSG_ALERT_EMAIL]),
    secretsDir: values.UNIMSG_SECRETS_DIR,
    vault: vaultSettings(values),
    azureKeyVault: azureKeyVaultSettings(values),
    logLevel: values.UNIMSG_LOG_LEVEL,
    workerConcurrency: values.UNIMSG_WORKER_CONCURRENCY,
    configProbeSeconds: values.UNIMSG_CONFIG_PROBE_SECONDS,
    baseUrls: Object.freeze(baseUrls),
  });
}

/** Whether a host is this machine alone. */
export function isLoopback(host: string): boolean {
  return /^(127\.|::1$|localhost$)/.test(host);
}

/** Undefined: it is not such a URL. */
function smtpSettings(text: string): SmtpSettings | undefined {
  const url = URL.parse(text);
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === '' || url.hash !== '') return undefined;
  if (url.pathname !== '' && url.pathname !== '/') return undefined;
  if ((url.username === '') !== (url.password === '')) return undefined;
  const host = decodeURIComponent(url.hostname).replace(/^\[|\]$/g, '');
  const implicit = url.protocol === 'smtps:';
  const tls = url.searchParams.get('tls');
  if ([...url.searchParams.keys()].some((name) => name !== 'tls')) return undefined;
  if (tls !== null && (implicit || (tls !== 'none' && tls !== 'starttls'))) return undefined;
  const inClear = tls === null ? isLoopback(host) : tls === 'none';
  const auth = userOf(url);
  if (auth === null) return undefined;
  return Object.freeze({
    host,
    port: url.port === '' ? (implicit ? 465 : 587) : Number(url.port),
    tls: implicit ? 'implicit' : inClear ? 'none' : 'starttls',
    ...(auth && { auth }),
  });
}

/** Undefined: there is none; null: it cannot be read. */
function userOf(url: URL): SmtpSettings['auth'] | null {
  if (url.username === '') return undefined;
  try {
    return { user: decodeURIComponent(url.username), password: new Secret(decodeURIComponent(url.password)) };
  } catch {
    return null;
  }
}

type Values = z.infer<typeof ENVIRONMENT>;

function vaultSettings(values: Values): VaultSettings | undefined {
  const { VAULT_ADDR: address, VAULT_TOKEN: token, VAULT_TOKEN_FILE: tokenFile, VAULT_NAMESPACE: namespace } = values;
  if (address === undefined) return undefined;
  if (token === undefined && tokenFile === undefined)
    throw new ConfigurationError('VAULT_TOKEN', 'or VAULT_TOKEN_FILE must be set when VAULT_ADDR is');
  if (token !== undefined && tokenFile !== undefined)
    throw new ConfigurationError('VAULT_TOKEN_FILE', 'must not be set beside VAULT_TOKEN');
  return Object.freeze({ address, token: token === undefined ? undefined : new Secret(token), tokenFile, namespace });
}

function azureKeyVaultSettings(values: Values): AzureKeyVaultSettings | undefined {
  const { AZURE_KEYVAULT_URL: url, AZURE_TENANT_ID: tenantId, AZURE_CLIENT_ID: clientId } = values;
  if (url === undefined) return undefined;
  if (!url.startsWith('https:'))
    throw new ConfigurationError('AZURE_KEYVAULT_URL', 'must be an https URL: tokens are sent to nothing else');
  const { AZURE_CLIENT_SECRET: clientSecret, AZURE_FEDERATED_TOKEN_FILE: federatedTokenFile } = values;
  if (clientSecret !== undefined || federatedTokenFile !== undefined) {
    if (tenantId === undefined)
      throw new ConfigurationError('AZURE_TENANT_ID', 'must be set: it is needed to sign in to the key vault');
    if (clientId === undefined)
      throw new ConfigurationError('AZURE_CLIENT_ID', 'must be set: it is needed to sign in to the key vault');
  }
  return Object.freeze({
    url,
    tenantId,
    clientId,
    clientSecret: clientSecret === undefined ? undefined : new Secret(clientSecret),
    federatedTokenFile,
    authorityHost: values.AZURE_AUTHORITY_HOST,
  });
}

/** The same configuration on a database whose address became known. */
export function withDatabaseUrl(config: AppConfig, databaseUrl: string): AppConfig {
  return Object.freeze({ ...config, databaseUrl });
}
