import type { InboundMessage } from './inbound.types';

/** `data` of `inbound.received`, in events and in `json` deliveries. */
export function inboundEventData(message: InboundMessage): Record<string, unknown> {
  return {
    inbound_id: message.id,
    client_id: message.clientId,
    channel: message.channel,
    number_id: message.numberId,
    number: message.recipient,
    from: message.sender,
    to: message.recipient,
    text: message.text,
    gateway: message.provider,
    config_id: message.configId,
    ...(message.externalId !== null && { external_id: message.externalId }),
    state: message.state,
    sequence: message.sequence,
    received_at: new Date(message.receivedAt).toISOString(),
    occurred_at: new Date(message.occurredAt).toISOString(),
    ...(message.detail !== null && { detail: message.detail }),
  };
}
