import type { OutboundMessage } from '../../gateway/contracts/gateway';
import { PRIORITY_NAMES, type ClaimedMessage } from '../record/message.types';

/** A claimed message as gateways read it. */
export function outboundMessage(message: ClaimedMessage): OutboundMessage {
  return {
    id: message.id,
    clientId: message.clientId,
    channel: message.channel,
    to: message.recipient,
    from: message.sender,
    content: message.content as unknown as OutboundMessage['content'],
    priority: PRIORITY_NAMES[message.priority as 0 | 1 | 2],
    expiresAt: message.expiresAt,
  };
}
