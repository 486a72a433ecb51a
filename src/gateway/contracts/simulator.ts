import type { CallbackKind } from './gateway';

/** How a recipient makes a stand-in behave; the magic recipients of each channel map to these. */
export const SIMULATED_BEHAVIOURS = [
  'delivered',
  'undelivered',
  'invalid_recipient',
  'throttled',
  'server_error',
  'hang_after_accepting',
  'connection_reset',
  'malformed_body',
  'callback_before_response',
  'callbacks_out_of_order',
  'repeated_callback',
  'late_bounce',
  'inbound_reply',
  'no_callback',
  'read',
  'engaged',
  'complained',
  'unsubscribed',
  'hard_bounce',
  'soft_bounce',
  'window_closed',
] as const;
export type SimulatedBehaviour = (typeof SIMULATED_BEHAVIOURS)[number];

/** A stand-in takes every secret but those that begin so: with them it answers as the provider does to wrong credentials. */
export const REFUSED_SECRET_PREFIX = 'invalid';

/** The host that a config names to use the stand-in of a provider whose host is a setting. Never resolves elsewhere (RFC 2606). */
export const STAND_IN_HOST = 'simulator.test';

export interface SimulatorRequest {
  method: string;
  /** Path after the provider's prefix, without query. */
  path: string;
  query: URLSearchParams;
  /** Lower-case names. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer;
}

export interface SimulatorAnswer {
  status: number;
  headers?: Record<string, string>;
  body: string;
}

/** What a stand-in received. No credentials. */
export interface SimulatedMessage {
  readonly provider: string;
  readonly externalId: string;
  readonly to: string;
  readonly from: string | null;
  readonly body: string;
  /** Our message id as the provider sees it; null when the request carries none. */
  readonly reference: string | null;
  readonly behaviour: SimulatedBehaviour;
  /** Whether the stand-in took it, so that look-ups find it. */
  readonly accepted: boolean;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  /** Status words reported so far. */
  readonly callbacks: readonly string[];
}

/** The request part of a {@link SimulatedMessage}. */
export type SimulatedSubmission = Pick<
  SimulatedMessage,
  'provider' | 'externalId' | 'to' | 'from' | 'body' | 'reference'
>;

/** A callback that a stand-in wants to make. */
export interface SimulatedCallback {
  url: string;
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body: string;
  /** The provider's status word, for the record. */
  word: string;
}

/** A report that a stand-in makes over the connection of the sender. */
export interface SimulatedDelivery {
  /** Whether UniMsg has it; one that it does not have is tried again. Must not throw. */
  deliver(): Promise<boolean>;
  /** The provider's status word, for the record. */
  word: string;
}

/** What can happen to a message that a stand-in took. */
export type SimulatedEvent =
  | 'sent'
  | 'delivered'
  | 'read'
  | 'undelivered'
  | 'inbound'
  | 'opened'
  | 'clicked'
  | 'hard_bounce'
  | 'soft_bounce'
  | 'complained'
  | 'unsubscribed'
  | 'window_closed';

/** A submission and the provider's own way to say each thing. What is not needed is not asked for. */
export interface SimulatedLife {
  submission: SimulatedSubmission;
  accepted(): SimulatorAnswer;
  refused(why: 'invalid_recipient' | 'throttled' | 'server_error'): SimulatorAnswer;
  /** An answer to an accepted submission that cannot be read. Missing: half the body of `accepted`. */
  garbled?(): SimulatorAnswer;
  /**
   * Signed as the provider signs, at the time of the call; none when the sender asked for none or the provider does not report such a thing,
   * several when each part has its own.
   */
  callbacks(event: SimulatedEvent): Array<SimulatedCallback | SimulatedDelivery>;
}

/** What the owner of an account has set up with the provider, where no request shows it. */
export interface SimulatedAccount {
  /** By field name, without `_ref`. */
  credentials: Readonly<Record<string, string | undefined>>;
  settings: Readonly<Record<string, unknown>>;
  /** What the owner has typed into the provider's console. */
  callbackUrl: (kind: CallbackKind) => string;
  /** The secret that UniMsg gave to a provider that repeats one. */
  callbackToken: () => string;
}

/** A text that a person sends to an account. */
export interface SimulatedText {
  /** Phone number in E.164, or what the provider calls a person. */
  from: string;
  /** What the person writes to: a number in E.164, a short code, the name of a bot. */
  to: string;
  text: string;
  /** Into how many parts it is cut at least, by a provider that hands over parts. */
  parts: number;
}

/** Credentials and settings of an account, as `POST /communication/{provider}/configs/` takes them. */
export interface SimulatedConfig {
  credentials: Record<string, string>;
  [setting: string]: unknown;
}

/** What the simulator does for a provider's stand-in. */
export interface SimulatorPort {
  now(): number;
  /** A message of the stand-in's that is still kept, accepted or not. */
  find(provider: string, externalId: string): SimulatedMessage | undefined;
  /**
   * The accounts of that name (the credential that identifies one) that UniMsg has configs for; none where the simulator runs by itself. For
   * providers whose webhook is part of the account's set-up, and is signed with a secret that no request shows.
   */
  accounts(provider: string, account: string): Promise<readonly SimulatedAccount[]>;
  /** All kept messages of a provider, newest first. */
  list(provider: string): SimulatedMessage[];
  /**
   * Keeps the message and plays its life as the recipient demands: answers `accepted` or `refused`, hangs, resets or garbles, and makes the
   * callbacks in the order and number that the behaviour asks for.
   */
  play(life: SimulatedLife): SimulatorOutcome | Promise<SimulatorOutcome>;
}

/** An answer, or a connection that is reset or never answered. */
export type SimulatorOutcome = SimulatorAnswer | 'reset' | 'hang';

/** A provider's stand-in: answers, calls back (signed) and fails as the real one does. */
export interface ProviderSimulator {
  /** The body of a config for an account that the stand-in takes, with secrets made anew; without name and status. */
  account(): SimulatedConfig;
  handle(request: SimulatorRequest, port: SimulatorPort): SimulatorOutcome | Promise<SimulatorOutcome>;
  /**
   * How the provider hands over what a person texts, signed as it signs; several where it hands over the parts of a long text one by one. Missing:
   * nobody can write to its accounts.
   */
  inbound?: (
    text: SimulatedText,
    account: SimulatedAccount,
    port: SimulatorPort,
  ) => Array<SimulatedCallback | SimulatedDelivery>;
  /** It hands over parts: joining is UniMsg's. */
  inboundParts?: true;
  /** For a provider that is not reached by HTTP: opens a server on a free loopback port. A config whose host is {@link STAND_IN_HOST} is led there. */
  listen?: (port: SimulatorPort) => Promise<SocketStandIn>;
}

/** A stand-in's server that speaks another protocol than HTTP. */
export interface SocketStandIn {
  /** TCP port on 127.0.0.1. */
  port: number;
  /** Ends at once. */
  close(): Promise<void>;
}
