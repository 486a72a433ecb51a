import type { Secret } from '../../kernel/secret';
import type { Channel, MessageStatus, Priority } from '../../kernel/channel';

/** What an SMS says. */
export interface SmsContent {
  text: string;
}

/** A file by its address, for providers that fetch it themselves. */
export interface MediaContent {
  /** http or https. */
  url: string;
  caption?: string;
}

/** What a WhatsApp message says: exactly one of `text`, `template` and `media`. */
export interface WhatsAppContent {
  text?: string;
  template?: {
    /** The provider's name or id of an approved template. */
    name: string;
    /** BCP 47, or as the provider spells it (`en_US`). Missing: the config's `default_language_code`. */
    language?: string;
    /** In the order of the template's placeholders. */
    parameters: string[];
    /** For a template with a media header. */
    media_url?: string;
  };
  media?: MediaContent;
}

/** An address as in RFC 5322, without syntax: the name is plain text. */
export interface EmailAddress {
  email: string;
  name?: string;
}

export interface EmailAttachment {
  filename: string;
  content_type: string;
  /** Base64, RFC 4648 §4. */
  content: string;
}

/** An email. One of `text`, `html` and `template_id` at least. The first of `to` is the message's recipient. */
export interface EmailContent {
  to: EmailAddress[];
  subject: string;
  text?: string;
  html?: string;
  template_id?: string;
  template_data?: Record<string, unknown>;
  /** The sender that the request asked for; missing: the config's. */
  from?: EmailAddress;
  reply_to?: EmailAddress;
  cc?: EmailAddress[];
  bcc?: EmailAddress[];
  /** Further header fields, name to value. None that the service sets itself. */
  headers?: Record<string, string>;
  attachments?: EmailAttachment[];
  /** Missing members: as the config says. */
  tracking?: { opens?: boolean; clicks?: boolean; unsubscribe?: boolean };
}

/** A Telegram message: `text`, or `media` with an optional caption. */
export interface TelegramContent {
  text?: string;
  media?: MediaContent;
  parse_mode?: 'HTML' | 'MarkdownV2' | 'Markdown';
  disable_notification?: boolean;
}

/** A push notification. `OutboundMessage.to` is the device token, or `/topics/<name>`. */
export interface PushContent {
  target?: { device_token: string; platform?: 'ios' | 'android' | 'web'; player_id?: string };
  topic?: string;
  title?: string;
  body?: string;
  image_url?: string;
  data?: Record<string, string>;
  ttl_seconds?: number;
  collapse_key?: string;
  badge_count?: number;
  sound?: string;
  click_action?: string;
  /** How urgent it is for the device; missing: as the config says. */
  device_priority?: 'high' | 'normal';
}

/** Content by channel, as it is stored and shown (snake_case); a channel's module validates it, its providers read it. */
export interface ContentByChannel {
  sms: SmsContent;
  whatsapp: WhatsAppContent;
  email: EmailContent;
  telegram: TelegramContent;
  push: PushContent;
}

/** A message as a gateway sees it. Immutable. */
export interface OutboundMessage<C extends Channel = Channel> {
  /** `msg_…`; at most 40 characters, so that it fits every provider's reference field. */
  id: string;
  clientId: string;
  channel: C;
  /** The recipient in the channel's own form: E.164 with `+`, address, chat id, device token. */
  to: string;
  /** The sender that the request asked for; null: the config's default. */
  from: string | null;
  content: ContentByChannel[C];
  priority: Priority;
  /** When the message loses its worth; milliseconds since the epoch. A gateway may hand it on as a validity period. */
  expiresAt: number;
}

/**
 * Everything tenant-bound that a call needs. Gateways are stateless: one instance serves all tenants, and nothing of a context may be
 * kept in a field, except connections keyed by `configId` and `configVersion`.
 */
export interface GatewayContext {
  clientId: string;
  configId: string;
  /** Grows with each change of the config or of a secret behind one of its references, so that a rotated secret is a new session. No integer. */
  configVersion: number;
  /** Settings as in the contract (snake_case), parsed by the definition's schema. */
  settings: Readonly<Record<string, unknown>>;
  /** Resolved credentials by field name, without `_ref`. Plain (not secret) fields are Secrets too: one way to read them all. */
  credentials: Readonly<Record<string, Secret | undefined>>;
  /**
   * Where the provider reports. Carries the config id and, in the query as `message_id`, our own id, so that a callback that overtakes the
   * response still finds its message.
   */
  callbackUrl(kind: CallbackKind, messageId?: string): string;
  /** A secret of this config that UniMsg made, of letters, digits, `-` and `_`: for providers that repeat one with each callback. Nobody else may see it. */
  callbackToken: Secret;
  /** Ends the call early. */
  signal: AbortSignal;
  /** Longest time for the call, in milliseconds. */
  timeoutMs: number;
  /** 1 for the first attempt. */
  attempt: number;
  /** The config's limit, which is kept for each call already; for a call that makes several requests. Null or missing: none. */
  perSecond?: number | null;
}

export interface ValidationIssue {
  /** Field of the send DTO, e.g. `from`. */
  field: string;
  code: string;
  message: string;
}

export interface SendResult {
  /** The provider's id for the message. */
  externalId: string;
  /** All ids when the provider gives one a part (Vonage); includes `externalId`. */
  externalIds?: string[];
  /** What the message is now: `sent` unless the provider says that it is final already. */
  status?: MessageStatus;
  segments?: number;
  cost?: Money;
}

export interface Money {
  /** A decimal in text, never a float: `0.0075`. */
  amount: string;
  /** ISO 4217. */
  currency: string;
}

export interface StatusReport {
  externalId: string;
  /** Null when the provider's word is not in the definition's table. */
  status: MessageStatus | null;
  rawWord: string;
  error?: { code: string; providerCode?: string; message?: string };
  cost?: Money;
  segments?: number;
}

export interface HealthReport {
  healthy: boolean;
  /** Why not; without secrets. */
  error?: string;
  /** `config` when the credentials are refused; `transient` when the provider could not be asked. */
  errorClass?: 'config' | 'transient';
}

/** One provider's API. */
export interface Gateway {
  /** What this provider cannot do with this message. Pure; an empty list means it can. Never drops a field silently. */
  validate(message: OutboundMessage, settings: Readonly<Record<string, unknown>>): ValidationIssue[];

  /**
   * Hands the message to the provider; at most one request that can have an effect. Resolves only when the provider took it.
   * @throws GatewayError for every failure, classified
   */
  send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult>;

  /** What the provider says of a message it took; null when it does not know the id. @throws GatewayError */
  getStatus?(externalId: string, ctx: GatewayContext): Promise<StatusReport | null>;

  /**
   * Looks for a message whose fate is unknown, by our own reference or by its attributes, without sending anything. Answers all that it may
   * be: an equal message to the same recipient looks the same, and the caller knows which ids belong to others. An empty list means "not
   * seen", which is no proof that it was not taken.
   * @param since when the unknown attempt began, milliseconds since the epoch
   */
  findSent?(message: OutboundMessage, since: number, ctx: GatewayContext): Promise<StatusReport[]>;

  /** Costs nothing and sends nothing. Does not throw. */
  healthCheck(ctx: GatewayContext): Promise<HealthReport>;

  /**
   * Tells the provider where to report, once a config becomes active or its callback URL changes, for providers whose API sets that
   * (Telegram's `setWebhook`). Repeating it changes nothing. @throws GatewayError
   */
  subscribe?(ctx: GatewayContext): Promise<void>;

  /**
   * Opens the session of a config, so that the provider can report before anything is sent; the same again while it is open changes nothing.
   * Resolves once it is open. For definitions with a `session`. @throws GatewayError as for a call; the session goes on trying
   */
  open?(ctx: GatewayContext): Promise<void>;

  /** Closes what is kept for a config (pools, sessions). */
  release?(configId: string): Promise<void>;
}

export const CALLBACK_KINDS = ['status', 'inbound', 'events'] as const;
/** `events` is for providers that mix statuses and inbound messages on one URL. */
export type CallbackKind = (typeof CALLBACK_KINDS)[number];
