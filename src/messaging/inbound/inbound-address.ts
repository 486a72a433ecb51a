import type { Channel } from '../../kernel/channel';
import { isPossiblePhoneNumber, readPhoneNumber } from '../../kernel/phone-number';
import { isPhoneChannel } from '../suppression/suppression';

/** They are in indexes; no provider's are near it. */
const LONGEST = 255;
/** Fewer digits without a plus are a short code. */
const INTERNATIONAL = /^[1-9]\d{8,14}$/;

/** One spelling of whom a message is from or to: E.164 for phone numbers, which some providers write without the plus; else as it came. */
export function inboundAddress(channel: Channel, text: string): string {
  const trimmed = text.trim().slice(0, LONGEST);
  if (!isPhoneChannel(channel)) return trimmed;
  const number = readPhoneNumber(trimmed);
  if (number !== undefined) return number;
  return INTERNATIONAL.test(trimmed) && isPossiblePhoneNumber(`+${trimmed}`) ? `+${trimmed}` : trimmed;
}
