/** The channels of the contract, in the order in which documents list them. */
export const CHANNELS = ['sms', 'whatsapp', 'email', 'telegram', 'push'] as const;
export type Channel = (typeof CHANNELS)[number];

export const PRIORITIES = ['high', 'normal', 'bulk'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Every status that a message can show. `sending` is derived from the queue, the others are stored. */
export const MESSAGE_STATUSES = [
  'scheduled',
  'queued',
  'sending',
  'sent',
  'delivered',
  'read',
  'undelivered',
  'failed',
  'canceled',
  'expired',
  'simulated',
] as const;
export type MessageStatus = (typeof MESSAGE_STATUSES)[number];

/** Why a message that is not final is not with a provider yet. */
export type WaitingOn = 'gateway_rate' | 'circuit_open' | 'quiet_hours' | 'schedule' | 'retry';
