/** The command that a reply answers. `CONNECT` is greeting and EHLO; `DATA` is the command and the end of the mail. */
export type SmtpStage = 'CONNECT' | 'STARTTLS' | 'AUTH' | 'MAIL' | 'RCPT' | 'DATA';

/** A refusing reply, taken apart. */
export interface SmtpReply {
  /** Three digits, 400 to 599. */
  code: number;
  /** RFC 3463, `5.1.1`; only where its class agrees with the code's. */
  enhanced?: string;
  text: string;
}

/** Undefined for what is no refusal: garbage, or a code below 400. */
export function readReply(line: string): SmtpReply | undefined {
  const read = /^([45]\d\d)(?:[ -]|$)(?:([45]\.\d{1,3}\.\d{1,3})(?=\s|$))?/.exec(line);
  if (read === null) return undefined;
  const enhanced = read[2] !== undefined && read[2][0] === read[1]![0] ? read[2] : undefined;
  return { code: Number(read[1]), ...(enhanced && { enhanced }), text: line };
}
