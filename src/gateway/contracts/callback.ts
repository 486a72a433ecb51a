import type { Secret } from '../../kernel/secret';
import type { MessageStatus } from '../../kernel/channel';
import type { ErrorClass } from './gateway-error';
import type { Money } from './gateway';

/** A provider's request to us, before anything in it is believed. */
export interface CallbackRequest {
  method: 'GET' | 'POST';
  /** The URL as the provider called it: `UNIMSG_PUBLIC_URL`, path and query. Never built from the Host header. */
  publicUrl: string;
  query: URLSearchParams;
  /** Lower-case names. */
  headers: Readonly<Record<string, string | undefined>>;
  /** The bytes as they came. Empty for GET. */
  rawBody: Buffer;
}

/** What a verifier may use: one config's secrets and settings. */
export interface CallbackSecrets {
  credentials: Readonly<Record<string, Secret | undefined>>;
  settings: Readonly<Record<string, unknown>>;
  /** The token that UniMsg put in this config's callback URLs (`?token=`). */
  urlToken: Secret;
}

interface EventBase {
  /** The provider's id for this event, else built from its stable parts: equal for repeats, different for different facts. */
  eventId: string;
  /** The provider's id for the message; undefined where the callback has none. */
  externalId?: string;
  /**
   * All ways in which the provider may have written that id when it took the message, the likeliest first. `externalId` holds when no message is
   * known by any of them.
   */
  idForms?: string[];
  /** Our message id when the callback carries it (`message_id` in the query, or the provider's reference field). */
  messageId?: string;
  /** The provider's clock, milliseconds since the epoch; null when the callback has no time. */
  occurredAt: number | null;
  /** The provider's own word for what happened. */
  rawWord: string;
  /** Where the provider numbers what it tells an account one by one: the place in that, so that a gap shows. */
  sequence?: number;
}

export interface StatusEvent extends EventBase {
  kind: 'status';
  /** Null when the word is not in the definition's table: kept and counted as unmapped, changes nothing. */
  status: MessageStatus | null;
  error?: { class: ErrorClass; code: string; providerCode?: string; message?: string };
  cost?: Money;
  segments?: number;
}

export const ENGAGEMENT_TYPES = ['opened', 'clicked', 'bounced', 'complained', 'unsubscribed'] as const;
export type EngagementType = (typeof ENGAGEMENT_TYPES)[number];

export const BOUNCE_TYPES = ['hard', 'soft', 'blocked'] as const;
export type BounceType = (typeof BOUNCE_TYPES)[number];

/** What the recipient did with a message that was delivered, or why it came back. Counted once an event id; moves no status. */
export interface EngagementEvent extends EventBase {
  kind: 'engagement';
  type: EngagementType;
  /** Only where the provider says so: a proxy or scanner opened or clicked, not a person. */
  machine?: boolean;
  /** For `bounced`. `hard`: never again; `soft`: may work later; `blocked`: refused by the receiver's policy. */
  bounceType?: BounceType;
  /** The address that it concerns, where a message has several. */
  recipient?: string;
  /** Shown to the client: `url` of a click, `user_agent`, `ip`, `reason`. */
  detail?: Record<string, unknown>;
}

export interface InboundPart {
  /** Parts of one message from one sender have the same. */
  reference: string;
  /** From 1. */
  number: number;
  total: number;
  /** The cut between two parts may go through a character: the half that the text of this part would begin, or end, with. UTF-16 code units. */
  head?: number;
  tail?: number;
}

export interface InboundEvent extends EventBase {
  kind: 'inbound';
  from: string;
  /** Empty where the provider does not say: then it is whom the account stands for. */
  to: string;
  text: string;
  /** A part of a long message, when the provider leaves the joining to us. */
  part?: InboundPart;
  /** The event id is made of the content, as the provider gives none: an equal event so long after the first is a new one. Milliseconds. */
  repeatsFor?: number;
  detail?: Record<string, unknown>;
}

/** Something the provider says that changes nothing here. Kept. */
export interface IgnoredEvent extends EventBase {
  kind: 'ignored';
}

export type NormalizedEvent = StatusEvent | EngagementEvent | InboundEvent | IgnoredEvent;

export interface CallbackAnswer {
  status: number;
  contentType?: string;
  body?: string;
}

/** What a payload says it is about. Not proved: good for nothing but finding configs whose secrets are then tried. */
export interface CallbackClaim {
  /** Value of the credential that identifies an account. */
  account?: string;
  externalIds?: string[];
  /** Our own ids of the messages, where the payload carries them. */
  messageIds?: string[];
  /** The number that a message from a person came to: numbers are assigned to tenants. */
  recipient?: string;
  /** A plain credential that tells it, where the payload does not name the account. */
  credential?: { name: string; value: string };
}

/** One account's part of a request that is about several. */
export interface CallbackShare {
  claim: CallbackClaim;
  /** Makes the request with nothing of the other accounts in it, to be parsed and kept. Only the whole request can be proved. */
  request: () => CallbackRequest;
}

/** How one kind of callback of one provider is located, proved, read and answered. Its functions use no `this`. */
export interface CallbackDefinition {
  /**
   * `signature`: the provider signs the request. `secret_header`: it repeats a secret of the account in a header, which proves who sends, not
   * what. `url_token`: it does neither, and UniMsg puts a secret into the callback URLs (`?token=`).
   */
  authentication: 'signature' | 'secret_header' | 'url_token';
  /**
   * For `signature`: whether this account cannot sign (it has no signing secret), so that its callback URLs carry the token too.
   * Missing: every account signs.
   */
  needsUrlToken?: (credentials: CallbackSecrets['credentials']) => boolean;
  /** For the documents: scheme and where it is described. */
  scheme: string;
  /**
   * For a URL without config id: the unproved account id and external ids in the payload, used for nothing but finding configs whose
   * secrets are then tried, and choosing among those that several fit. Must not throw.
   */
  locate: (request: CallbackRequest) => CallbackClaim;
  /**
   * What a payload says may lead to no config (a new message, an id of nobody) or to a wrong one. Then the secrets of the provider's configs are
   * tried, a bounded number of them. Missing: the account that it names is whose it is.
   */
  unaddressed?: true;
  /**
   * For a provider that puts several accounts into one request, which may be different tenants' here: the part of each, or none for a request
   * that it cannot read. Each part goes to a config whose secret proves the whole. Must not throw.
   */
  split?: (request: CallbackRequest) => CallbackShare[];
  /**
   * Proves that the request comes from this account: on the raw bytes, before parsing, in constant time, failing closed.
   * @param now milliseconds since the epoch, for stale time stamps
   * @throws InvalidSignature
   */
  verify: (request: CallbackRequest, secrets: CallbackSecrets, now: number) => void;
  /**
   * For a provider that puts many events into one request: the request with each of them alone, in their order, which is parsed and kept by itself,
   * so that the whole is not kept with each; the request as it came when it cannot be taken apart. Must not throw.
   */
  pieces?: (request: CallbackRequest) => Iterable<CallbackRequest>;
  /**
   * Reads a verified callback. Throws a plain Error when the body is not what the provider documents; the raw bytes are kept then too.
   * @param settings of the config that it is for
   */
  parse: (request: CallbackRequest, settings?: Readonly<Record<string, unknown>>) => NormalizedEvent[];
  /**
   * Answers a provider's question whether this URL is ours, which comes by GET (WhatsApp's `hub.challenge`). Undefined: an ordinary callback.
   * @throws InvalidSignature when the question does not prove that it concerns this account
   */
  challenge?: (request: CallbackRequest, secrets: CallbackSecrets) => CallbackAnswer | undefined;
  /** What the provider wants to hear when we have it. */
  answer: CallbackAnswer;
}
