/** How a recipient makes a stand-in behave; the magic recipients of api.md §12 map to these. */
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
] as const;
export type SimulatedBehaviour = (typeof SIMULATED_BEHAVIOURS)[number];

export interface SimulatorRequest {
  method: string;
  /** Path after the provider's prefix, without query. */
  path: string;
  query: URLSearchParams;
  /** Lower-case names. */
  headers: Readonly<Record<string, string | undefined>>;
  body: Buffer;
}

export interface SimulatorAnswer {
  status: number;
  headers?: Record<string, string>;
  body: string;
}

/** What a stand-in received, as `GET /simulator/messages` shows it. No credentials. */
export interface SimulatedMessage {
  provider: string;
  external_id: string;
  to: string;
  from: string | null;
  body: string;
  behaviour: SimulatedBehaviour;
  received_at: string;
  /** Status words reported so far. */
  callbacks: string[];
}

/** A callback that a stand-in wants to make. */
export interface SimulatedCallback {
  url: string;
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body: string;
  /** The provider's status word, for the record. */
  word: string;
}

/** What the simulator does for a provider's stand-in. */
export interface SimulatorPort {
  now(): number;
  /** What the recipient asks for; `delivered` for an ordinary one. `provider` matters for recipients that fail at one provider only. */
  behaviourFor(recipient: string, provider: string): SimulatedBehaviour;
  /** Keeps a message for `GET /simulator/messages` and for later look-ups by the stand-in. */
  record(message: SimulatedMessage): void;
  find(provider: string, externalId: string): SimulatedMessage | undefined;
  /** All kept messages of a provider, newest first. */
  list(provider: string): SimulatedMessage[];
  /**
   * Plays a message's life as its behaviour demands: answers with `accepted`, or fails, hangs or resets instead, and makes the callbacks in
   * the order and number that the behaviour asks for.
   */
  play(life: {
    message: SimulatedMessage;
    accepted: SimulatorAnswer;
    /** The provider's way of saying each failure. */
    failures: {
      invalidRecipient: SimulatorAnswer;
      throttled: SimulatorAnswer;
      serverError: SimulatorAnswer;
    };
    /** Callbacks in their natural order for a good end and for a bad one; `inbound` answers the message. Signed by the stand-in. */
    callbacks: {
      sent?: SimulatedCallback;
      delivered?: SimulatedCallback;
      undelivered?: SimulatedCallback;
      inbound?: SimulatedCallback;
    };
  }): Promise<SimulatorAnswer | 'reset' | 'hang'>;
}

/** A provider's stand-in: answers, calls back (signed) and fails as the real one does. */
export interface ProviderSimulator {
  handle(request: SimulatorRequest, port: SimulatorPort): Promise<SimulatorAnswer | 'reset' | 'hang'>;
}
