/**
 * What a failed attempt means for the message. A provider classifies; `messaging/failover.policy.ts` decides what follows.
 *
 * - `recipient_permanent`: this recipient cannot be reached by anyone (unknown number, opted out)
 * - `content_permanent`: this content is refused everywhere (empty, too long, malformed)
 * - `config`: the account or sender is at fault (bad credentials, no credit, sender not allowed)
 * - `throttled`: too fast; nothing was taken
 * - `transient`: nothing was taken, another try may work
 * - `ambiguous`: the provider may have taken the message
 */
export const ERROR_CLASSES = [
  'recipient_permanent',
  'content_permanent',
  'config',
  'throttled',
  'transient',
  'ambiguous',
] as const;
export type ErrorClass = (typeof ERROR_CLASSES)[number];

/** One row of a provider's error table. */
export interface ErrorRow {
  class: ErrorClass;
  /** Our stable word, e.g. `invalid_recipient`, `opted_out`, `bad_credentials`. Snake case. */
  code: string;
  /** What the provider says the code means. */
  title: string;
  /**
   * For class `config`: whether the whole account is at fault (default; the config goes to `error`) or only this sender or this
   * country (the next gateway is tried, the config stays active).
   * For class `throttled`: whether the whole account is too fast (default) or `recipient`: only messages to this recipient, or the provider
   * does not say. Then the others go on, until a second recipient is throttled without a success in between.
   */
  scope?: 'account' | 'sender' | 'country' | 'recipient';
  /** For class `throttled`: how long to wait when the answer does not say, milliseconds. */
  retryAfterMs?: number;
}

export interface GatewayErrorDetails {
  class: ErrorClass;
  /** Our stable word. */
  code: string;
  /** Human text, already without secrets. */
  message: string;
  /** The provider's own code, as text: `21211`, `http_503`. */
  providerCode?: string;
  /** The provider's own text, at most 500 characters, without secrets. */
  providerText?: string;
  /** For `throttled`: milliseconds that the provider asks us to wait. */
  retryAfterMs?: number;
  /** See {@link ErrorRow.scope}. */
  scope?: ErrorRow['scope'];
  /** For `recipient_permanent`: the one of several recipients whose mailbox is gone for good, as the message spells it. */
  bounced?: string;
  cause?: unknown;
}

/** Why a gateway did not (or may not) have taken a message. The only error that `Gateway.send` throws on purpose. */
export class GatewayError extends Error {
  readonly class: ErrorClass;
  readonly code: string;
  readonly providerCode: string | undefined;
  readonly providerText: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly scope: NonNullable<ErrorRow['scope']>;
  readonly bounced: string | undefined;

  constructor(details: GatewayErrorDetails) {
    super(details.message, { cause: details.cause });
    this.name = 'GatewayError';
    this.class = details.class;
    this.code = details.code;
    this.providerCode = details.providerCode;
    this.providerText = details.providerText?.slice(0, 500);
    this.retryAfterMs = details.retryAfterMs;
    this.scope = details.scope ?? 'account';
    this.bounced = details.bounced;
  }
}

/** A callback that does not prove where it comes from. Answered 401 `invalid_signature`; nothing is stored. */
export class InvalidSignature extends Error {
  constructor(readonly reason: string) {
    super(`invalid signature: ${reason}`);
    this.name = 'InvalidSignature';
  }
}
