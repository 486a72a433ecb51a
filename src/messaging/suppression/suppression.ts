import type { Channel } from '../../kernel/channel';
import { isPossiblePhoneNumber } from '../../kernel/phone-number';

export const SUPPRESSION_REASONS = [
  'stop',
  'hard_bounce',
  'complaint',
  'unsubscribe',
  'unregistered',
  'manual',
] as const;
export type SuppressionReason = (typeof SUPPRESSION_REASONS)[number];

export const SUPPRESSION_SOURCES = ['api', 'import', 'inbound', 'provider'] as const;
export type SuppressionSource = (typeof SUPPRESSION_SOURCES)[number];

/** A recipient that is to be put on the list of a tenant and channel. */
export interface NewSuppression {
  clientId: string;
  channel: Channel;
  /** As {@link suppressedAddress} spells it. */
  recipient: string;
  reason: SuppressionReason;
  source: SuppressionSource;
  /** The word that was written, the provider's code, or a note. */
  detail?: string | null;
  messageId?: string | null;
}

/** Longest recipients of lists: they are in an index. */
export const LONGEST_RECIPIENT = 1_000;
/** Longest notes, and longest words of others for a reason. */
export const LONGEST_DETAIL = 255;

/** Channels whose recipients are phone numbers. */
export function isPhoneChannel(channel: string): boolean {
  return channel === 'sms' || channel === 'whatsapp';
}

/** How lists spell a recipient; null for what cannot be one. Whom a provider names need not be spelt as in the message. */
export function suppressedAddress(channel: string, recipient: string): string | null {
  const text = recipient.trim();
  if (text === '' || text.length > LONGEST_RECIPIENT) return null;
  if (isPhoneChannel(channel)) {
    const compact = text.replace(/^whatsapp:/i, '').replace(/[\s().-]/g, '');
    // WhatsApp's own ids are international numbers without the plus; bare digits of an SMS may be a national number.
    const number = channel === 'whatsapp' && /^[1-9]\d{6,14}$/.test(compact) ? `+${compact}` : compact;
    return isPossiblePhoneNumber(number) ? number : null;
  }
  // The part before the @ may tell cases apart; no mailbox in use does, and a provider's report need not keep them.
  if (channel === 'email') return /^[^\s@]+@[^\s@]+$/.test(text) ? text.toLowerCase() : null;
  return text;
}

/** Everybody whom a message goes to, as lists spell them. */
export function addressesOf(channel: string, recipient: string, content: object | null): string[] {
  const all = [recipient];
  if (channel === 'email') {
    const { to, cc, bcc } = (content ?? {}) as Record<'to' | 'cc' | 'bcc', Array<{ email?: unknown }> | undefined>;
    for (const one of [to, cc, bcc].flatMap((list) => (Array.isArray(list) ? list : [])))
      if (typeof one.email === 'string') all.push(one.email);
  }
  return [...new Set(all.flatMap((one) => suppressedAddress(channel, one) ?? []))];
}

/** Failures that say that a recipient wants, or can get, nothing more by this channel. The codes are those of the providers' error tables. */
const REASONS_BY_CODE: Readonly<Record<string, SuppressionReason>> = {
  opted_out: 'stop',
  unregistered_device: 'unregistered',
};

/** Why a failure puts the recipient on the list; undefined for one that does not. */
export function reasonOfFailure(channel: string, code: string | undefined): SuppressionReason | undefined {
  if (code === undefined || !Object.hasOwn(REASONS_BY_CODE, code)) return undefined;
  const reason = REASONS_BY_CODE[code];
  // Only numbers can write START.
  return reason === 'stop' && !isPhoneChannel(channel) ? 'unsubscribe' : reason;
}

/** Whether a failure may lead to an entry, in whatever channel. */
export function maySuppress(code: string | undefined): boolean {
  return code !== undefined && Object.hasOwn(REASONS_BY_CODE, code);
}
