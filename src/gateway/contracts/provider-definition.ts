import type { z } from 'zod';
import type { Channel, MessageStatus } from '../../kernel/channel';
import type { Clock } from '../../kernel/clock';
import type { Dialer } from '../../platform/http-client/dialer';
import type { HttpClient } from '../../platform/http-client/http-client';
import type { CallbackDefinition, NormalizedEvent } from './callback';
import type { CallbackKind, Gateway } from './gateway';
import type { ErrorRow } from './gateway-error';
import type { ReportSink } from './report-sink';
import type { ProviderSimulator } from './simulator';

/** One credential of a provider account. */
export interface CredentialField {
  description: string;
  /** Secret fields are given as `<name>` (sealed at once) or `<name>_ref`; plain ones as `<name>` only, and are shown. */
  secret: boolean;
  required: boolean;
  /** Tells one account from another; its hash finds the config of a callback without config id. At most one a provider. */
  identifiesAccount?: boolean;
  pattern?: RegExp;
  /** For what no pattern can tell: what is wrong with a value, undefined when nothing is. Must not repeat the value. */
  check?: (value: string) => string | undefined;
  example: string;
}

export interface ProviderCapabilities {
  /** How delivery is learnt: `push` (callbacks), `pull` (getStatus is asked again and again; a callback counts where one comes), `none`. */
  status: 'push' | 'pull' | 'none';
  inbound: boolean;
  media: boolean;
  templates: boolean;
  /** The provider drops a second send with the same token of ours. */
  idempotency: boolean;
  /** A message whose fate is unknown can be looked up. */
  lookup: boolean;
  /** Longest body in characters. */
  maxBodyLength: number;
}

export interface ProviderLimits {
  /** Requests a second and config when the config says nothing; null: unlimited. */
  defaultPerSecond: number | null;
  /** Longest wait for an answer, milliseconds. */
  timeoutMs: number;
  /** Calls under way at once and config. */
  window: number;
  /** The setting that says so for each config, where the account's contract does. */
  windowSetting?: string;
}

/** For a provider that is reached over a connection which is kept, and which reports over it. */
export interface SessionDefinition {
  /**
   * Reads what came over it again. Must give an event the id that it had.
   * @throws Error when it cannot be read
   */
  parse(raw: Buffer, settings: Readonly<Record<string, unknown>>): NormalizedEvent[];
}

/** What a gateway may use; handed to `create` once a process. */
export interface GatewayDeps {
  http: HttpClient;
  /**
   * Scheme, host and path prefix of the API: the operator's override, the simulator's or the definition's default. No trailing slash.
   * A getter: read it when a call is made, not in `create`; the simulator's address is known only once the HTTP server listens.
   */
  baseUrl: string;
  /** The definition's `furtherUrls` by name, resolved in the same way; the stand-in's are `<its base URL>/<name>`. */
  furtherUrl(name: string): string;
  /** Opens sockets to hosts that tenants name. */
  dialer: Dialer;
  /** Takes what providers tell over sessions. Without one nothing can be taken, and the provider is asked to send it again. */
  reports?: ReportSink;
  /** The system's clock when there is none. */
  clock?: Clock;
}

/** The variable that replaces scheme and host of an API, and what they are without it. */
export interface ProviderUrl {
  env: string;
  default: string;
}

/**
 * All that UniMsg knows of one provider, and all that a provider file exports. Config routes and their validation, the callback route,
 * masking, the base-URL variable, OpenAPI, the provider table in the documents, metric labels and the simulator follow from it.
 */
export interface ProviderDefinition {
  /** The provider key, e.g. `twilio`. */
  key: string;
  channel: Channel;
  /** Path part of `/communication/{slug}` and `/webhook/{slug}`. */
  slug: string;
  /** Other names that routes and requests may use for it. */
  aliases: readonly string[];
  title: string;
  docsUrl: string;
  /** Null: the host is a setting of each config (SMTP, SMPP), or nothing is called. */
  baseUrl: ProviderUrl | null;
  /** Other services that the provider's API needs, by name (`oauth`). */
  furtherUrls?: Readonly<Record<string, ProviderUrl>>;
  /** Further fields of the config resource, snake_case as in the OpenAPI document. A strict zod object with descriptions and examples. */
  settings: z.ZodObject;
  credentials: Readonly<Record<string, CredentialField>>;
  capabilities: ProviderCapabilities;
  limits: ProviderLimits;
  create(deps: GatewayDeps): Gateway;
  /** Messages come in by it and none go out: no route may name it, and it has no paths to send by. */
  inboundOnly?: true;
  /**
   * The account allows one set of connections, whatever the number of processes: one worker at a time holds it for each active config, and only
   * that one sends.
   */
  session?: SessionDefinition;
  callbacks: Partial<Record<CallbackKind, CallbackDefinition>>;
  /** The provider's status words. Anything else is `unmapped`: kept, counted, changes nothing. `null`: known, changes nothing. */
  statuses: Readonly<Record<string, MessageStatus | null>>;
  /** The provider's error codes. */
  errors: Readonly<Record<string, ErrorRow>>;
  /** The stand-in that behaves as the provider does. */
  simulator: ProviderSimulator;
}
