import type { OutboundMessage } from '../../gateway/contracts/gateway';
import type { ClaimedMessage } from '../record/message.types';

/** A claimed message as gateways read it. */
export function outboundMessage(message: ClaimedMessage): OutboundMessage {
  return {
    id: message.id,
    clientId: message.clientId,
    channel: message.channel,
    to: message.recipient,
    from: message.sender,
    content: message.content as unknown as OutboundMessage['content'],
    expiresAt: message.expiresAt,
  };
}
