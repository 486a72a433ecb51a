import { isEmailAddress } from '../kernel/email-address';
import { readPhoneNumber } from '../kernel/phone-number';
import { Problem } from '../kernel/problem';
import { LONGEST_RECIPIENT, suppressedAddress } from '../messaging/suppression/suppression';

/** One person, as far as a phone number, an address, a chat id or a device token names it. */
export interface Person {
  /** As lists spell it, and as it is hashed. */
  address: string;
  isEmail: boolean;
  /**
   * Finds the address in a text of any kind, URL-encoded too: a regular expression of PostgreSQL. What is part of a longer number or address is
   * another one's. Null: too short to be looked for in texts.
   */
  pattern: string | null;
}

/** Shorter ones are in every text. */
const SHORTEST_LOOKED_FOR = 5;
/** Before an address may stand what encodes another character. */
const ENCODED_BEFORE = '(?<=%[0-9A-Fa-f][0-9A-Fa-f])';

/** @throws Problem for what names nobody */
export function personOf(recipient: string): Person {
  const text = recipient.trim();
  if (text.length > LONGEST_RECIPIENT || text === '' || /\p{Cc}/u.test(text)) throw notAPerson();
  const number = suppressedAddress('whatsapp', text) && readPhoneNumber(text.replace(/^whatsapp:/i, ''));
  if (number) {
    const before = `(?:(?<![0-9])|${ENCODED_BEFORE}|(?<=[^0-9]00)|(?<=^00))`;
    return { address: number, isEmail: false, pattern: `${before}${number.slice(1)}(?![0-9])` };
  }
  if (isEmailAddress(text)) {
    const address = text.toLowerCase();
    const before = `(?:(?<![A-Za-z0-9._%+-])|${ENCODED_BEFORE})`;
    return { address, isEmail: true, pattern: `(?i)${before}${encodable(address)}(?![A-Za-z0-9-]|\\.[A-Za-z0-9])` };
  }
  // What could be the syntax of a text around it is no part of an id.
  if (/[\s"'\\{}[\]<>,]/.test(text)) throw notAPerson();
  const looked = text.length >= SHORTEST_LOOKED_FOR;
  const before = `(?:(?<![A-Za-z0-9_-])|${ENCODED_BEFORE})`;
  return { address: text, isEmail: false, pattern: looked ? `${before}${encodable(text)}(?![A-Za-z0-9_-])` : null };
}

/** The text as a pattern, each sign also as URLs write it. */
function encodable(text: string): string {
  return [...text]
    .map((char) => {
      if (/[A-Za-z0-9]/.test(char)) return char;
      const encoded = encodeURIComponent(char);
      const percent = encoded === char ? `%${char.charCodeAt(0).toString(16).toUpperCase()}` : encoded;
      return `(?:${char.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}|${percent})`;
    })
    .join('');
}

function notAPerson(): Problem {
  return Problem.field(
    'recipient',
    'invalid_recipient',
    'must be a phone number, an email address, a chat id or a device token',
  );
}
