/** A mail as it goes to a server. */
export interface SmtpMail {
  /** Addresses as they go over the wire. */
  envelope: { from: string; to: string[] };
  /** The mail, lines ending in CR LF, without dot-stuffing. */
  bytes: Buffer;
  /** Whether an address of the envelope or a header needs SMTPUTF8. */
  needsSmtpUtf8: boolean;
}

export function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text);
}
