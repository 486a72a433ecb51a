/** Most addresses in each of `to`, `cc` and `bcc`. */
export const MAX_LIST = 50;
/** Most recipients of one mail: what every mail server must take (RFC 5321 §4.5.3.1.8). */
export const MAX_RECIPIENTS = 100;
/** Longest line of a mail (RFC 5322 §2.1.1); a longer subject or header would have to be one. */
export const MAX_SUBJECT = 998;
export const MAX_HEADERS = 50;
export const MAX_ATTACHMENTS = 50;
