import type { MessageQuotas } from '../../gateway/quotas/quota-scope';
import type { Channel } from '../../kernel/channel';
import { messageIdTime } from '../../kernel/ids';
import type { ClaimedMessage } from '../record/message.types';

/** A message that is about to become durable. */
export interface NewMessage {
  id: string;
  clientId: string;
  channel: string;
  status: 'queued' | 'scheduled' | 'simulated';
  recipient: string;
  sender: string | null;
  content: object;
  priority: number;
  provider: string | null;
  reference: string | null;
  tags: string[] | null;
  metadata: Record<string, string> | null;
  encoding: string | null;
  segments: number | null;
  sendAt: number | null;
  expiresAt: number;
  /** When the quiet hours end that it was accepted in; null: it need not wait for them. */
  heldUntil: number | null;
  /** The provider that would take a simulated message; null for a real one. */
  gateway: string | null;
  /** The config to ask first; null: the message is not to be sent (sandbox). */
  lane: string | null;
  idempotency: { key: string; bodyHash: Buffer } | null;
  /** The quotas that it counts for; null, as for most: none. */
  quotas: MessageQuotas | null;
}

/** A message as a claim would read it back. */
export function claimOf(message: NewMessage, lane: string): ClaimedMessage {
  const { id, clientId, recipient } = message;
  const channel = message.channel as Channel;
  return {
    id,
    createdAt: messageIdTime(id)!,
    clientId,
    channel,
    recipient,
    sender: message.sender,
    content: message.content as Record<string, unknown>,
    priority: message.priority,
    provider: message.provider,
    expiresAt: message.expiresAt,
    attempts: 0,
    attempted: false,
    lane,
    rounds: 0,
    tried: [],
    unknown: null,
    possibleDuplicate: false,
    state: {
      id,
      client_id: clientId,
      channel,
      status: message.status,
      recipient,
      reference: message.reference,
      metadata: message.metadata,
      config_id: null,
      external_id: null,
      parts: null,
      segments: message.segments,
      cost_amount: null,
      cost_currency: null,
      attempted_config: null,
      possible_duplicate: false,
      version: 0,
    },
  };
}
