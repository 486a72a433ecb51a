import type { Channel, MessageStatus, WaitingOn } from '../../kernel/channel';
import type { ErrorClass } from '../../gateway/contracts/gateway-error';

/** How an attempt ended. `accepted`: the provider took the message; `unknown`: nobody can say (class `ambiguous`, or a worker that died). */
export type AttemptOutcome = 'accepted' | 'unknown' | Exclude<ErrorClass, 'ambiguous'>;

/** One try at one gateway, as stored and as shown. */
export interface AttemptRecord {
  gateway: string;
  config_id: string;
  started_at: string;
  finished_at: string;
  outcome: AttemptOutcome;
  /** The provider's own code where it gave one, else our word. */
  error_code?: string;
  error_message?: string;
  /** Our stable word for the failure. */
  reason?: string;
  external_id?: string;
}

/** What of a stored message decides how a change applies to it. */
export interface MessageState {
  id: string;
  client_id: string;
  channel: string;
  status: MessageStatus;
  recipient: string;
  reference: string | null;
  metadata: Record<string, string> | null;
  config_id: string | null;
  external_id: string | null;
  parts: Record<string, MessageStatus> | null;
  /** These decide how it counts in the tenant's usage. */
  segments: number | null;
  cost_amount: string | null;
  cost_currency: string | null;
  /** The config of its last attempt; wanted of those only that no provider took. */
  attempted_config: string | null;
  /** An attempt of unknown fate was given up, and it went on. */
  possible_duplicate: boolean;
  /** Grows with each write: who writes names the one that it has seen. */
  version: number;
}

/** A message as the dispatcher claims it. */
export interface ClaimedMessage {
  id: string;
  createdAt: number;
  clientId: string;
  channel: Channel;
  recipient: string;
  sender: string | null;
  content: Record<string, unknown>;
  priority: number;
  /** The gateway that the request forces; null: the tenant's routing. */
  provider: string | null;
  expiresAt: number;
  attempts: number;
  /** Whether an attempt was made that came to more than being told to wait (`throttled`). */
  attempted: boolean;
  /** The config that this claim is for. */
  lane: string;
  rounds: number;
  tried: string[];
  /** An attempt whose fate is open. */
  unknown: { since: number; configId: string; reconcileUntil: number } | null;
  possibleDuplicate: boolean;
  /** What the claim read of it. */
  state: MessageState;
}

export interface Requeue {
  lane: string;
  dueAt: number;
  waitingOn: WaitingOn | null;
  rounds: number;
  tried: string[];
  unknown: ClaimedMessage['unknown'];
}

/** What a worker learnt about a message that it had claimed. */
export interface DispatchOutcome {
  message: Pick<ClaimedMessage, 'id' | 'createdAt' | 'clientId' | 'channel' | 'recipient' | 'priority' | 'state'>;
  attempt?: AttemptRecord;
  possibleDuplicate?: boolean;
  next:
    | {
        type: 'sent';
        gateway: string;
        configId: string;
        externalId: string;
        externalIds?: string[];
        status: MessageStatus;
        segments?: number;
        cost?: { amount: string; currency: string };
      }
    | {
        type: 'final';
        status: 'failed' | 'expired';
        errorCode: string;
        errorMessage: string;
        /** The recipient whose mailbox is gone for good. */
        bounced?: string;
      }
    | { type: 'requeue'; requeue: Requeue };
}

/** What a provider reported about a message. */
export interface ReportedStatus {
  messageId: string;
  /** The tenant whose config the report came for; a message of another tenant is left alone. */
  clientId: string;
  configId: string;
  gateway: string;
  externalId?: string;
  status: MessageStatus;
  occurredAt: number;
  error?: { code: string; providerCode?: string; message?: string };
  cost?: { amount: string; currency: string };
  segments?: number;
}

export const PRIORITY_RANK = { high: 0, normal: 1, bulk: 2 } as const;
export const PRIORITY_NAMES = ['high', 'normal', 'bulk'] as const;
