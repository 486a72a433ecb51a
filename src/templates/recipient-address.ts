import type { Channel } from '../kernel/channel';

/** The recipient in the words of a channel's send. What an address has to look like is for the channel to say. */
export function addressed(channel: Channel, address: unknown): Record<string, unknown> {
  if (channel !== 'push') return { to: address };
  return { target: typeof address === 'string' ? { device_token: address } : address };
}
