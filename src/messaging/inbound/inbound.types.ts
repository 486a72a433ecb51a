import type { Channel } from '../../kernel/channel';

/**
 * - `received`: it came to a number of the tenant, has a place in the number's sequence, and is delivered to its receivers
 * - `unmatched`: the tenant has no such number; kept, and told by an alert
 */
export const INBOUND_STATES = ['received', 'unmatched'] as const;
export type InboundState = (typeof INBOUND_STATES)[number];

export const RECEIVER_TYPES = ['webhook', 'email'] as const;
export type ReceiverType = (typeof RECEIVER_TYPES)[number];

/** How a webhook receiver wants the message: four urlencoded fields, or the event `inbound.received`. */
export const RECEIVER_FORMATS = ['form', 'json'] as const;
export type ReceiverFormat = (typeof RECEIVER_FORMATS)[number];

/** `pending`: never tried, or to be tried again. `dead_letter`: the last try of the round failed; kept, and can be redelivered. */
export const INBOUND_DELIVERY_STATUSES = ['pending', 'succeeded', 'dead_letter'] as const;
export type InboundDeliveryStatus = (typeof INBOUND_DELIVERY_STATUSES)[number];

/**
 * What became of a message as a whole: `unmatched`; else `dead_letter` when a receiver did not get it in the end, `pending` while one has yet to, and
 * `delivered` when nothing is owed to anybody any more.
 */
export const INBOUND_STATUSES = ['pending', 'delivered', 'dead_letter', 'unmatched'] as const;
export type InboundStatus = (typeof INBOUND_STATUSES)[number];

/** A message that a person sent to a tenant. Times in milliseconds since the epoch. */
export interface InboundMessage {
  /** `inb_…` */
  id: string;
  clientId: string;
  /** Null while it is unmatched. */
  numberId: string | null;
  channel: Channel;
  /** Provider key. */
  provider: string;
  configId: string;
  /** The provider's id of the message; null where it gives none. */
  externalId: string | null;
  /** E.164 for phone numbers; else as the provider names the sender. */
  sender: string;
  /** The number that it came to, as {@link sender}. */
  recipient: string;
  text: string;
  /** By the provider's clock, ours where it tells no time. */
  occurredAt: number;
  receivedAt: number;
  /** The place in the number's gapless sequence, from 1; null while it is unmatched. */
  sequence: number | null;
  state: InboundState;
  /** `evt_…` of its `inbound.received`: the same in every delivery. */
  eventId: string;
  /** What only some providers tell: media, the sender's name, what is missing of a long message. */
  detail: Record<string, unknown> | null;
}
